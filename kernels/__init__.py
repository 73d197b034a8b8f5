"""kernels: numpy in, numpy out, compiled; knows no city."""

IS_CIM_KERNELS = True
