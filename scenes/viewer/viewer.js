// The page's viewer: decodes the data in the page, draws them with WebGL 2, answers clicks.
// World axes are those of the scene: x east, y north, z up, metres from its origin.
"use strict";
(async () => {
  const $ = (id) => document.getElementById(id);
  const sorry = (en, zh) => {
    $("sorry").textContent = `${en} ${zh}`;
    $("sorry").style.display = "block";
    window.cim = { ready: false, error: en };
  };
  if (typeof DecompressionStream === "undefined") return sorry("This browser is too old for this page.", "浏览器版本过旧，无法打开本页。");

  // ---- data: one gzip stream of a header and arrays --------------------------------------
  const text = atob($("data").textContent.trim());
  const packed = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) packed[i] = text.charCodeAt(i);
  $("data").remove();
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const raw = await new Response(stream).arrayBuffer();
  const size = new DataView(raw).getUint32(0, true);
  const doc = JSON.parse(new TextDecoder().decode(new Uint8Array(raw, 4, size)));
  const start = 4 * Math.ceil((4 + size) / 4);
  const KINDS = { f4: Float32Array, u4: Uint32Array, u1: Uint8Array };
  const take = (r) => new KINDS[r[0]](raw, start + r[1], r[2]);
  const picture = async (r, alpha = "none") => createImageBitmap(new Blob([take(r)]), { premultiplyAlpha: alpha, colorSpaceConversion: "none" });

  // ---- small algebra, column-major -------------------------------------------------------
  const sub = (a, b) => [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
  const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
  const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
  const norm = (a) => { const l = Math.hypot(...a) || 1; return a.map((v) => v / l); };
  const times = (a, b) => {
    const c = new Float64Array(16);
    for (let i = 0; i < 4; i++) for (let j = 0; j < 4; j++) for (let k = 0; k < 4; k++) c[4 * j + i] += a[4 * k + i] * b[4 * j + k];
    return c;
  };
  const inverse = (m) => { // Gauss-Jordan on [m | 1]
    const a = [0, 1, 2, 3].map((r) => [0, 1, 2, 3].map((c) => m[4 * c + r]).concat([0, 1, 2, 3].map((c) => +(c === r))));
    for (let c = 0; c < 4; c++) {
      let best = c;
      for (let r = c + 1; r < 4; r++) if (Math.abs(a[r][c]) > Math.abs(a[best][c])) best = r;
      [a[c], a[best]] = [a[best], a[c]];
      const p = a[c][c];
      for (let k = 0; k < 8; k++) a[c][k] /= p;
      for (let r = 0; r < 4; r++) if (r !== c) { const f = a[r][c]; for (let k = 0; k < 8; k++) a[r][k] -= f * a[c][k]; }
    }
    return Float64Array.from({ length: 16 }, (_, i) => a[i % 4][4 + (i >> 2)]);
  };
  const apply = (m, p) => {
    const o = [0, 1, 2, 3].map((r) => m[r] * p[0] + m[4 + r] * p[1] + m[8 + r] * p[2] + m[12 + r]);
    return [o[0] / o[3], o[1] / o[3], o[2] / o[3], o[3]];
  };

  // ---- graphics --------------------------------------------------------------------------
  const canvas = $("city");
  const gl = canvas.getContext("webgl2", { antialias: true, alpha: true, premultipliedAlpha: false, preserveDrawingBuffer: true });
  if (!gl) return sorry("This browser has no WebGL 2.", "浏览器不支持 WebGL 2。");
  const compile = (vertex, fragment) => {
    const program = gl.createProgram();
    for (const [type, source] of [[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, fragment]]) {
      const shader = gl.createShader(type);
      gl.shaderSource(shader, `#version 300 es\nprecision highp float;\nprecision highp int;\n${source}`);
      gl.compileShader(shader);
      if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) throw new Error(gl.getShaderInfoLog(shader));
      gl.attachShader(program, shader);
    }
    ["at", "rgb", "who", "uv"].forEach((name, i) => gl.bindAttribLocation(program, i, name));
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(program));
    const at = {};
    for (let i = 0; i < gl.getProgramParameter(program, gl.ACTIVE_UNIFORMS); i++) {
      const name = gl.getActiveUniform(program, i).name;
      at[name] = gl.getUniformLocation(program, name);
    }
    return { program, at };
  };
  const VERTEX = `
    uniform mat4 view;
    in vec3 at; in vec3 rgb; in uint who; in vec2 uv;
    out vec3 place; out vec3 tint; out vec2 spot; flat out uint owner;
    void main() { place = at; tint = rgb; spot = uv; owner = who; gl_Position = view * vec4(at, 1.0); }`;
  const CUT = `
    uniform int cuts; uniform vec3 cut[6]; uniform vec3 keep[6];
    void clip(vec3 p) { for (int i = 0; i < cuts; i++) if (dot(p - cut[i], keep[i]) < 0.0) discard; }`;
  const shown = compile(VERTEX, `${CUT}
    in vec3 place; in vec3 tint; in vec2 spot; flat in uint owner;
    uniform vec3 sun; uniform vec3 eye; uniform int kind; uniform uint chosen; uniform float solid;
    uniform sampler2D image; uniform sampler2D over; uniform sampler2D colours;
    uniform vec4 rect; uniform bool overlaid; uniform bool coloured;
    out vec4 pixel;
    void main() {
      clip(place);
      vec3 c = tint;
      if (kind == 2) { pixel = vec4(c, solid); return; }
      if (kind == 1 || kind == 3) c = kind == 1 ? texture(image, spot).rgb : c * texture(image, spot).rgb;
      if (coloured && owner > 0u) {
        int n = int(owner) - 1, wide = textureSize(colours, 0).x;
        vec4 own = texelFetch(colours, ivec2(n % wide, n / wide), 0);
        if (own.a > 0.5) c = own.rgb;
      }
      if (kind == 1 && overlaid) {
        vec2 at = vec2((place.x - rect.x) / (rect.z - rect.x), (rect.w - place.y) / (rect.w - rect.y));
        if (at.x >= 0.0 && at.y >= 0.0 && at.x <= 1.0 && at.y <= 1.0) { vec4 o = texture(over, at); c = c * (1.0 - o.a) + o.rgb; }
      }
      if (owner > 0u && owner == chosen) c = mix(c, vec3(1.0, 0.78, 0.1), 0.75);
      vec3 n = normalize(cross(dFdx(place), dFdy(place)));
      if (dot(n, eye - place) < 0.0) n = -n;
      vec3 away = normalize(vec3(-0.8 * sun.xy, 0.9));
      vec3 lit = vec3(0.46) + 0.8 * (0.78 * max(0.0, dot(n, sun)) * vec3(1.0, 0.96, 0.88) + 0.26 * max(0.0, dot(n, away)) * vec3(0.82, 0.89, 1.0));
      pixel = vec4(min(c * lit, 1.0), solid);
    }`);
  const asked = compile(VERTEX, `${CUT}
    in vec3 place; in vec3 tint; in vec2 spot; flat in uint owner;
    layout(location = 0) out vec4 id; layout(location = 1) out vec4 deep;
    vec4 bytes(uint v) { return vec4(float(v & 255u), float((v >> 8) & 255u), float((v >> 16) & 255u), float(v >> 24)) / 255.0; }
    void main() { clip(place); id = bytes(owner); deep = bytes(uint(gl_FragCoord.z * 16777215.0)); }`);

  const buffer = (target, values) => { const b = gl.createBuffer(); gl.bindBuffer(target, b); gl.bufferData(target, values, gl.STATIC_DRAW); };
  const attribute = (slot, values, n, type, whole) => {
    buffer(gl.ARRAY_BUFFER, values);
    gl.enableVertexAttribArray(slot);
    if (whole) gl.vertexAttribIPointer(slot, n, type, 0, 0);
    else gl.vertexAttribPointer(slot, n, type, type === gl.UNSIGNED_BYTE, 0, 0);
  };
  const texture = (source, repeat, smooth, cells = false) => {
    const t = gl.createTexture();
    gl.bindTexture(gl.TEXTURE_2D, t);
    gl.pixelStorei(gl.UNPACK_PREMULTIPLY_ALPHA_WEBGL, false);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, source);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, repeat ? gl.REPEAT : gl.CLAMP_TO_EDGE);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, repeat ? gl.REPEAT : gl.CLAMP_TO_EDGE);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, smooth && !cells ? gl.LINEAR : gl.NEAREST);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, smooth ? gl.LINEAR_MIPMAP_LINEAR : gl.NEAREST);
    if (smooth) {
      gl.generateMipmap(gl.TEXTURE_2D);
      const sharp = gl.getExtension("EXT_texture_filter_anisotropic");
      if (sharp) gl.texParameterf(gl.TEXTURE_2D, sharp.TEXTURE_MAX_ANISOTROPY_EXT, 8);
    }
    return t;
  };
  const white = texture(new ImageData(new Uint8ClampedArray([255, 255, 255, 255]), 1, 1), true, false);
  const things = [];
  let low = [Infinity, Infinity, Infinity], high = [-Infinity, -Infinity, -Infinity];
  const reach = (xyz) => { for (let i = 0; i < xyz.length; i++) { const k = i % 3; if (xyz[i] < low[k]) low[k] = xyz[i]; if (xyz[i] > high[k]) high[k] = xyz[i]; } };

  { // ground: a grid of points, row 0 in the north
    const { rows, cols } = doc.ground, at = take(doc.ground.points), uv = new Float32Array(2 * rows * cols);
    const faces = new Uint32Array(6 * (rows - 1) * (cols - 1));
    for (let r = 0, k = 0; r < rows; r++) for (let c = 0; c < cols; c++) {
      const i = r * cols + c;
      uv[2 * i] = c / (cols - 1); uv[2 * i + 1] = r / (rows - 1);
      if (r && c) { const d = i, b = i - cols, e = i - 1, a = i - cols - 1; faces.set([a, e, b, b, e, d], k); k += 6; }
    }
    const vao = gl.createVertexArray();
    gl.bindVertexArray(vao);
    attribute(0, at, 3, gl.FLOAT); attribute(3, uv, 2, gl.FLOAT); buffer(gl.ELEMENT_ARRAY_BUFFER, faces);
    reach(at);
    things.push({ vao, count: faces.length, kind: 1, layer: "#ground", image: texture(await picture(doc.ground.image), false, true), solid: doc.ground.opacity });
  }
  const tops = new Float32Array(doc.count).fill(-Infinity), sums = new Float64Array(3 * doc.count), many = new Uint32Array(doc.count);
  for (const part of doc.parts) {
    const vao = gl.createVertexArray(), at = take(part.at), who = take(part.who);
    gl.bindVertexArray(vao);
    attribute(0, at, 3, gl.FLOAT); attribute(1, take(part.rgb), 3, gl.UNSIGNED_BYTE); attribute(2, who, 1, gl.UNSIGNED_INT, true);
    if (part.uv) attribute(3, take(part.uv), 2, gl.FLOAT);
    buffer(gl.ELEMENT_ARRAY_BUFFER, take(part.faces));
    if (part.layer) reach(at);
    for (let i = 0; i < who.length; i++) {
      if (!who[i]) continue;
      const o = who[i] - 1;
      for (let k = 0; k < 3; k++) sums[3 * o + k] += at[3 * i + k];
      many[o]++; tops[o] = Math.max(tops[o], at[3 * i + 2]);
    }
    const image = part.pattern ? texture(await picture(part.pattern), true, true) : null;
    things.push({ vao, count: part.faces[2], kind: image ? 3 : 0, layer: part.layer || "#ground", image, closed: part.closed, solid: part.opacity, tiles: part.tiles });
  }
  for (const edge of doc.edges) {
    const vao = gl.createVertexArray();
    gl.bindVertexArray(vao);
    attribute(0, take(edge.at), 3, gl.FLOAT);
    things.push({ vao, count: edge.at[2] / 3, kind: 2, layer: edge.layer, rgb: edge.rgb.map((v) => v / 255), lines: true, solid: edge.opacity });
  }
  things.forEach((thing) => { thing.clear = thing.solid < 1; });
  things.sort((a, b) => a.clear - b.clear); // what shows through comes last
  gl.bindVertexArray(null);

  // ---- objects ---------------------------------------------------------------------------
  const tableOf = (n) => { let t = doc.tables.length - 1; while (t > 0 && doc.tables[t].first > n) t--; return doc.tables[t]; };
  const idOf = (n) => { const t = tableOf(n); return t.ids[n - t.first]; };
  const numbers = new Map();
  doc.tables.forEach((t) => t.ids.forEach((id, i) => numbers.set(id, t.first + i)));
  const lying = doc.lying.map((l) => ({ ...l, who: take(l.who), start: take(l.start), xy: take(l.xy), half: take(l.half) }));
  const middle = (n) => {
    if (many[n]) return [0, 1, 2].map((k) => sums[3 * n + k] / many[n]);
    for (const l of lying) for (let i = 0; i < l.who.length; i++) if (l.who[i] === n) {
      const mid = l.start[i] + ((l.start[i + 1] - l.start[i]) >> 1);
      return [l.xy[2 * mid], l.xy[2 * mid + 1], 0];
    }
    return null;
  };
  const lies = (x, y, hair) => { // the object painted at a place: spots, then lines, then the smallest area
    let best = null, least = Infinity;
    for (const l of lying) {
      if (hidden.has(l.layer)) continue;
      for (let i = 0; i < l.who.length; i++) {
        const a = l.start[i], b = l.start[i + 1];
        if (l.shape === "area") {
          if (least < 1e6) continue;
          let inside = false, area = 0;
          for (let j = a, k = b - 1; j < b; k = j++) {
            const xj = l.xy[2 * j], yj = l.xy[2 * j + 1], xk = l.xy[2 * k], yk = l.xy[2 * k + 1];
            area += xk * yj - xj * yk;
            if (yj > y !== yk > y && x < ((xk - xj) * (y - yj)) / (yk - yj) + xj) inside = !inside;
          }
          const score = 1e6 + Math.abs(area);
          if (inside && score < least) { least = score; best = l.who[i]; }
          continue;
        }
        for (let j = a; j < Math.max(b - 1, a + 1); j++) {
          const k = Math.min(j + 1, b - 1), dx = l.xy[2 * k] - l.xy[2 * j], dy = l.xy[2 * k + 1] - l.xy[2 * j + 1];
          const px = x - l.xy[2 * j], py = y - l.xy[2 * j + 1], long = dx * dx + dy * dy;
          const t = long ? Math.max(0, Math.min(1, (px * dx + py * dy) / long)) : 0;
          const far = Math.hypot(px - t * dx, py - t * dy) - Math.max(l.half[i], hair);
          const score = (l.shape === "line" ? 1e3 : 0) + far;
          if (far <= 0 && score < least) { least = score; best = l.who[i]; }
        }
      }
    }
    return best;
  };

  // ---- camera: an orbit about a point ----------------------------------------------------
  const cam = {};
  const home = () => {
    const way = sub(doc.camera.position, doc.camera.focus);
    cam.target = [...doc.camera.focus]; cam.far = Math.hypot(...way);
    cam.tilt = Math.min(Math.asin(way[2] / cam.far), 1.5698);
    cam.turn = (doc.camera.turn_deg * Math.PI) / 180;
    cam.far *= Math.max(1, (doc.size[0] / doc.size[1]) * (canvas.clientHeight / Math.max(canvas.clientWidth - beside, 200)));
  };
  const beside = doc.frames ? 90 : 280; // pixels kept clear for the cards; a result's camera leaves room itself
  home();
  const radius = Math.hypot(high[0] - low[0], high[1] - low[1], high[2] - low[2]) / 2;
  const matrices = () => {
    const flat = Math.cos(cam.tilt);
    const back = [Math.sin(cam.turn) * flat, -Math.cos(cam.turn) * flat, Math.sin(cam.tilt)];
    const eye = cam.target.map((v, i) => v + back[i] * cam.far);
    const right = [Math.cos(cam.turn), Math.sin(cam.turn), 0], up = cross(back, right);
    const near = Math.max(0.5, 0.02 * cam.far), far = cam.far + 10 * radius + 1000;
    const f = 1 / Math.tan((doc.camera.view_angle_deg * Math.PI) / 360), aspect = canvas.width / canvas.height;
    const lens = new Float64Array([f / aspect, 0, 0, 0, 0, f, 0, 0, beside / canvas.clientWidth, 0, (far + near) / (near - far), -1, 0, 0, (2 * far * near) / (near - far), 0]);
    const look = new Float64Array([right[0], up[0], back[0], 0, right[1], up[1], back[1], 0, right[2], up[2], back[2], 0, -dot(right, eye), -dot(up, eye), -dot(back, eye), 1]);
    return { eye, right, up, view: times(lens, look) };
  };

  const visit = (b) => { // a kept view: from an eye, or before a box
    const to = b.eye || { position: doc.camera.position, focus: b.middle || doc.camera.focus };
    const way = sub(to.position, to.focus), far = Math.hypot(...way);
    cam.target = [...to.focus];
    cam.far = b.eye ? far : b.across ? b.across / (2 * Math.tan((doc.camera.view_angle_deg * Math.PI) / 360)) * 1.2 : far;
    cam.tilt = b.eye ? Math.max(0.001, Math.min(1.5698, Math.asin(way[2] / far))) : { top: 1.5698, oblique: 0.7, street: 0.16 }[b.camera];
    if (b.eye && Math.hypot(way[0], way[1]) > 1e-6 * far) cam.turn = Math.atan2(way[0], -way[1]);
    else if (b.camera === "top" || b.eye) cam.turn = 0;
    if (frames && b.moment !== null) show(b.moment);
    again();
  };

  // ---- drawing ---------------------------------------------------------------------------
  const hidden = new Set();
  const frames = doc.frames;
  let chosen = 0, now = 0, over = null, colours = null, waiting = false;
  const draw = () => {
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    const wide = Math.round(canvas.clientWidth * ratio), tall = Math.round(canvas.clientHeight * ratio);
    if (canvas.width !== wide || canvas.height !== tall) { canvas.width = wide; canvas.height = tall; }
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    gl.viewport(0, 0, wide, tall);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    scene(shown);
    furniture();
  };
  const scene = (look) => {
    const m = matrices();
    faces = 0;
    gl.useProgram(look.program);
    gl.enable(gl.DEPTH_TEST);
    gl.uniform1i(look.at.cuts, doc.clip.length);
    if (doc.clip.length) {
      gl.uniform3fv(look.at["cut[0]"], doc.clip.flatMap((c) => c[0]));
      gl.uniform3fv(look.at["keep[0]"], doc.clip.flatMap((c) => c[1]));
    }
    gl.vertexAttribI4ui(2, 0, 0, 0, 0); // of what has no owner
    gl.uniformMatrix4fv(look.at.view, false, new Float32Array(m.view));
    if (look === shown) {
      gl.uniform3fv(look.at.sun, norm(doc.light)); gl.uniform3fv(look.at.eye, m.eye);
      gl.uniform1ui(look.at.chosen, chosen);
      const results = !hidden.has("#result");
      gl.uniform1i(look.at.overlaid, over && results ? 1 : 0); gl.uniform1i(look.at.coloured, colours && results ? 1 : 0);
      if (frames && frames.rect) gl.uniform4fv(look.at.rect, frames.rect);
      gl.uniform1i(look.at.image, 0); gl.uniform1i(look.at.over, 1); gl.uniform1i(look.at.colours, 2);
      gl.activeTexture(gl.TEXTURE1); gl.bindTexture(gl.TEXTURE_2D, over || white);
      gl.activeTexture(gl.TEXTURE2); gl.bindTexture(gl.TEXTURE_2D, colours || white);
      gl.activeTexture(gl.TEXTURE0);
    }
    for (const thing of things) {
      if (hidden.has(thing.layer) || (thing.lines && look === asked)) continue;
      gl.bindVertexArray(thing.vao);
      const through = thing.clear && look === shown;
      if (through) { gl.enable(gl.BLEND); gl.blendFuncSeparate(gl.SRC_ALPHA, gl.ONE_MINUS_SRC_ALPHA, gl.ONE, gl.ONE_MINUS_SRC_ALPHA); } else gl.disable(gl.BLEND);
      gl.depthMask(!through);
      if (look === shown) { gl.uniform1f(look.at.solid, through ? thing.solid : 1); gl.uniform1i(look.at.kind, thing.kind); gl.bindTexture(gl.TEXTURE_2D, thing.image || white); }
      if (thing.closed) gl.enable(gl.CULL_FACE); else gl.disable(gl.CULL_FACE);
      if (!thing.tiles && !thing.lines) faces += thing.count / 3;
      if (thing.lines) { gl.vertexAttrib3fv(1, thing.rgb); gl.drawArrays(gl.LINES, 0, thing.count); continue; }
      gl.enable(gl.POLYGON_OFFSET_FILL); gl.polygonOffset(1, 1);
      if (thing.tiles) thing.tiles.forEach((tile) => piece(tile, m, look === asked)); else gl.drawElements(gl.TRIANGLES, thing.count, gl.UNSIGNED_INT, 0);
      gl.disable(gl.POLYGON_OFFSET_FILL);
    }
    gl.bindVertexArray(null); gl.disable(gl.BLEND); gl.depthMask(true);
  };
  // A tile of a large city: not at all where it is out of sight, its roofs alone where ten
  // metres of it are a pixel or two, or three while one moves.
  const piece = ([first, roofs, count, ...box], m, whole) => {
    const corners = [0, 1, 2, 3, 4, 5, 6, 7].map((k) => [box[k & 1 ? 3 : 0], box[k & 2 ? 4 : 1], box[k & 4 ? 5 : 2]]);
    const seen = corners.map((p) => [0, 1, 2, 3].map((r) => m.view[r] * p[0] + m.view[4 + r] * p[1] + m.view[8 + r] * p[2] + m.view[12 + r]));
    if ([0, 1].some((k) => seen.every((q) => q[k] > q[3]) || seen.every((q) => q[k] < -q[3])) || seen.every((q) => q[3] <= 0)) return;
    const apart = Math.hypot(...[0, 1, 2].map((k) => Math.max(box[k] - m.eye[k], m.eye[k] - box[k + 3], 0)));
    const shown_px = (10 * canvas.height) / (2 * Math.max(apart, 1) * Math.tan((doc.camera.view_angle_deg * Math.PI) / 360));
    const drawn = !whole && shown_px < (moving ? 3 : 1.6) ? roofs : count;
    faces += drawn;
    gl.drawElements(gl.TRIANGLES, 3 * drawn, gl.UNSIGNED_INT, 12 * first);
  };
  let moving = null, faces = 0;
  const move = () => { // coarser for a fifth of a second after the last touch
    clearTimeout(moving);
    moving = setTimeout(() => { moving = null; again(); }, 200);
    again();
  };
  const again = () => { if (!waiting) { waiting = true; requestAnimationFrame(() => { waiting = false; draw(); }); } };

  // ---- picking: the object and the depth under one pixel ---------------------------------
  const board = { made: null, wide: 0, tall: 0 };
  const hit = (x, y) => {
    const wide = canvas.width, tall = canvas.height;
    const px = Math.floor((x / canvas.clientWidth) * wide), py = tall - 1 - Math.floor((y / canvas.clientHeight) * tall);
    if (px < 0 || py < 0 || px >= wide || py >= tall) return null;
    if (!board.made || board.wide !== wide || board.tall !== tall) {
      if (board.made) { board.parts.forEach((p) => gl.deleteRenderbuffer(p)); gl.deleteFramebuffer(board.made); }
      board.made = gl.createFramebuffer(); board.wide = wide; board.tall = tall; board.parts = [];
      gl.bindFramebuffer(gl.FRAMEBUFFER, board.made);
      for (const [slot, form] of [[gl.COLOR_ATTACHMENT0, gl.RGBA8], [gl.COLOR_ATTACHMENT1, gl.RGBA8], [gl.DEPTH_ATTACHMENT, gl.DEPTH_COMPONENT24]]) {
        const b = gl.createRenderbuffer();
        gl.bindRenderbuffer(gl.RENDERBUFFER, b); gl.renderbufferStorage(gl.RENDERBUFFER, form, wide, tall);
        gl.framebufferRenderbuffer(gl.FRAMEBUFFER, slot, gl.RENDERBUFFER, b);
        board.parts.push(b);
      }
      gl.drawBuffers([gl.COLOR_ATTACHMENT0, gl.COLOR_ATTACHMENT1]);
    }
    gl.bindFramebuffer(gl.FRAMEBUFFER, board.made);
    gl.viewport(0, 0, wide, tall);
    gl.enable(gl.SCISSOR_TEST); gl.scissor(px, py, 1, 1);
    gl.clearBufferfv(gl.COLOR, 0, [0, 0, 0, 0]); gl.clearBufferfv(gl.COLOR, 1, [0, 0, 0, 0]); gl.clear(gl.DEPTH_BUFFER_BIT);
    scene(asked);
    gl.disable(gl.SCISSOR_TEST);
    const read = (slot) => { const b = new Uint8Array(4); gl.readBuffer(slot); gl.readPixels(px, py, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, b); return b[0] + 256 * b[1] + 65536 * b[2] + 16777216 * b[3]; };
    const owner = read(gl.COLOR_ATTACHMENT0), deep = read(gl.COLOR_ATTACHMENT1);
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    if (!deep) return null;
    const clip = [(2 * (px + 0.5)) / wide - 1, (2 * (py + 0.5)) / tall - 1, (2 * deep) / 16777215 - 1];
    return { owner, place: apply(inverse(matrices().view), clip).slice(0, 3) };
  };
  const pick = (x, y) => {
    const found = hit(x, y);
    if (!found) return null;
    if (found.owner) return found.owner - 1;
    return lies(found.place[0], found.place[1], 4 * metres());
  };
  const metres = () => (2 * cam.far * Math.tan((doc.camera.view_angle_deg * Math.PI) / 360)) / canvas.clientHeight;

  // ---- what is read: texts in two languages ----------------------------------------------
  let lang = doc.lang;
  const say = (key) => doc.texts[lang][key];
  const node = (tag, attributes = {}, ...children) => {
    const made = Object.assign(document.createElement(tag), attributes);
    made.append(...children);
    return made;
  };
  const number = (v) => (typeof v === "number" ? String(+v.toPrecision(7)) : typeof v === "boolean" ? say(v ? "yes" : "no") : v);
  const words = () => {
    document.documentElement.lang = lang;
    document.title = doc.title[lang];
    $("title").textContent = doc.title[lang];
    $("under").textContent = doc.under[lang];
    $("mark").style.display = doc.illustrative ? "" : "none";
    $("mark").textContent = say("illustrative");
    $("remarks").textContent = doc.remarks[lang];
    $("remarks").style.display = doc.remarks[lang] ? "" : "none";
    $("sources").textContent = doc.sources[lang];
    $("sources").style.display = doc.sources[lang] ? "" : "none";
    const tools = [
      [lang === "en" ? "中文" : "English", () => { lang = lang === "en" ? "zh" : "en"; words(); again(); }],
      [say("home"), () => { home(); again(); }], [say("top"), () => { cam.tilt = 1.5698; cam.turn = 0; again(); }],
    ];
    const find = node("input", { id: "find", type: "search", placeholder: say("find") });
    find.onkeydown = (e) => { e.stopPropagation(); if (e.key === "Enter") { const n = search(find.value); if (n !== null) { select(n); fly(n); } } };
    $("tools").replaceChildren(...tools.map(([label, onclick]) => node("button", { textContent: label, onclick })), find);
    for (const b of doc.bookmarks) $("tools").append(node("button", { textContent: b.name, onclick: () => visit(b) }));
    legend();
    $("layers").replaceChildren(...doc.layers.map((l) => {
      const box = node("input", { type: "checkbox", checked: !hidden.has(l.name) });
      box.dataset.layer = l.name;
      box.onchange = () => { if (box.checked) hidden.delete(l.name); else hidden.add(l.name); again(); };
      return node("label", {}, box, node("span", { textContent: l[lang] }), node("em", { textContent: l.count === null ? "" : l.count }));
    }));
    $("play").textContent = say(playing ? "pause" : "play");
    panel();
    draw();
  };
  const legend = () => {
    const l = doc.legend && doc.legend[lang], out = [];
    if (l) {
      const heading = l.unit ? `${l.title} (${l.unit})` : l.title;
      const css = (c) => `rgb(${c[0]},${c[1]},${c[2]})`;
      if (l.rgb.length > 1) {
        out.push(node("div", { textContent: heading }));
        const bar = node("i");
        bar.style.background = `linear-gradient(to top, ${l.rgb.map(css).join(",")})`;
        out.push(node("div", { className: "ramp" }, bar, ...l.marks.map(([share, t]) => {
          const mark = node("span", { textContent: t });
          mark.style.top = `${100 * (1 - share)}%`;
          return mark;
        })));
      }
      const keys = l.rgb.length === 1 ? [[l.rgb[0], heading], ...l.keys] : l.keys;
      for (const [c, t] of keys) { const b = node("b"); b.style.background = css(c); out.push(node("div", { className: "key" }, b, node("span", { textContent: t }))); }
    }
    $("legend").replaceChildren(...out);
    $("legend").style.display = out.length ? "" : "none";
  };
  const panel = () => {
    $("panel").classList.toggle("open", chosen > 0);
    if (!chosen) return;
    const n = chosen - 1, t = tableOf(n), i = n - t.first, rows = [["id", t.ids[i]]];
    const named = t.columns.find((c) => c.name === "name");
    for (const c of t.columns) {
      const v = c.values[i];
      if (v === null || c.name === "name") continue;
      rows.push([c[lang], c.unit && c.unit !== "1" ? `${number(v)} ${c.unit}` : number(v)]);
    }
    if (frames && frames.values) {
      const v = take(frames.values)[now * doc.count + n];
      if (Number.isFinite(v)) rows.push([frames.field[lang], `${number(v)} ${frames.field.unit === "1" ? "" : frames.field.unit}`]);
    }
    const body = node("table", {}, ...rows.map(([k, v]) => node("tr", {}, node("td", { textContent: k }), node("td", { textContent: v }))));
    const shut = node("button", { textContent: "×", onclick: () => select(null) });
    $("panel").replaceChildren(shut, node("h2", { textContent: (named && named.values[i]) || t[lang] }), node("div", { textContent: t[lang] }), body);
  };
  const furniture = () => {
    const m = metres(), rough = 130 * m, power = 10 ** Math.floor(Math.log10(rough));
    const long = [5, 2, 1].map((f) => f * power).find((v) => v <= rough);
    $("scale").querySelector("i").style.width = `${long / m}px`;
    const label = long < 1000 ? `${+long.toPrecision(3)} m` : `${long / 1000} km`;
    $("scale").querySelector("span").textContent = cam.tilt > 1.5 ? label : `≈ ${label}`;
    pin();
    $("north").querySelector("g").setAttribute("transform", `rotate(${(cam.turn * 180) / Math.PI})`);
  };
  const screen = (p) => { const q = apply(matrices().view, p); return [((q[0] + 1) / 2) * canvas.clientWidth, ((1 - q[1]) / 2) * canvas.clientHeight, q[3]]; };
  const notes = doc.labels.map((a) => { const n = node("div", { className: "note", textContent: a.text }); document.body.append(n); return [n, a.at]; });
  const pin = () => {
    for (const [n, at] of notes) {
      const [x, y, w] = screen(at);
      n.style.display = w > 0 ? "" : "none";
      n.style.transform = `translate(${x}px, ${y}px) translate(-50%, -100%)`;
    }
  };
  const select = (n) => { chosen = n === null ? 0 : n + 1; panel(); again(); };
  const fly = (n) => { const m = middle(n); if (m) { cam.target = m; cam.far = Math.min(cam.far, 250); again(); } };
  const search = (words_) => {
    const wanted = words_.trim().toLowerCase();
    if (!wanted) return null;
    if (numbers.has(words_.trim())) return numbers.get(words_.trim());
    for (const t of doc.tables) {
      const c = t.columns.find((one) => one.name === "name");
      const i = c ? c.values.findIndex((v) => v !== null && v.toLowerCase().includes(wanted)) : -1;
      if (i >= 0) return t.first + i;
    }
    return null;
  };

  // ---- time ------------------------------------------------------------------------------
  let playing = null;
  const show = async (i) => {
    now = i;
    $("slide").value = i;
    if (frames.labels.length) $("now").textContent = frames.labels[i];
    if (frames.overlays) {
      const bitmap = await picture(frames.overlays[i], "premultiply");
      if (now !== i) return;
      if (over) gl.deleteTexture(over);
      over = texture(bitmap, false, true, frames.cells);
    }
    if (frames.colours) {
      const wide = Math.min(doc.count, 2048), tall = Math.ceil(doc.count / wide), rgba = new Uint8ClampedArray(4 * wide * tall);
      rgba.set(take(frames.colours).subarray(4 * doc.count * i, 4 * doc.count * (i + 1)));
      if (colours) gl.deleteTexture(colours);
      colours = texture(new ImageData(rgba, wide, tall), false, false);
    }
    panel();
    again();
  };
  if (frames) {
    if (frames.labels.length > 1) {
      $("time").classList.add("open"); document.body.classList.add("timed");
      $("slide").max = frames.labels.length - 1;
      $("slide").oninput = () => show(+$("slide").value);
      $("play").onclick = () => {
        if (playing) { clearInterval(playing); playing = null; } else playing = setInterval(() => show((now + 1) % frames.labels.length), 500);
        $("play").textContent = say(playing ? "pause" : "play");
      };
    }
    await show(frames.labels.length ? frames.labels.length - 1 : 0);
  }

  // ---- hands -----------------------------------------------------------------------------
  const fingers = new Map();
  let moved = 0, before = null;
  const pan = (dx, dy) => {
    const m = matrices(), s = metres(), lift = Math.max(Math.sin(cam.tilt), 0.25);
    const ahead = [-Math.sin(cam.turn), Math.cos(cam.turn), 0];
    cam.target = cam.target.map((v, i) => v - m.right[i] * dx * s + (ahead[i] * dy * s) / lift);
  };
  const zoom = (factor, x, y) => {
    const found = hit(x, y), to = Math.max(5, Math.min(cam.far * factor, 12 * radius)), share = 1 - to / cam.far;
    if (found) cam.target = cam.target.map((v, i) => v + (found.place[i] - v) * share);
    cam.far = to;
  };
  const turn = (dx, dy) => { cam.turn -= dx * 0.006; cam.tilt = Math.max(0.03, Math.min(1.5698, cam.tilt + dy * 0.006)); };
  canvas.onpointerdown = (e) => { canvas.setPointerCapture(e.pointerId); fingers.set(e.pointerId, [e.offsetX, e.offsetY]); moved = 0; before = null; };
  canvas.onpointermove = (e) => {
    const last = fingers.get(e.pointerId);
    if (!last) return;
    const dx = e.offsetX - last[0], dy = e.offsetY - last[1];
    fingers.set(e.pointerId, [e.offsetX, e.offsetY]);
    moved += Math.abs(dx) + Math.abs(dy);
    if (fingers.size === 2) {
      const [a, b] = [...fingers.values()], apart = Math.hypot(a[0] - b[0], a[1] - b[1]);
      if (before) cam.far = Math.max(5, Math.min((cam.far * before) / apart, 12 * radius));
      before = apart;
      pan(dx / 2, dy / 2);
    } else if (e.buttons & 1 && !e.shiftKey) turn(dx, dy);
    else pan(dx, dy);
    move();
  };
  canvas.onpointerup = (e) => {
    if (fingers.delete(e.pointerId) && moved < 4 && e.button === 0) select(pick(e.offsetX, e.offsetY));
  };
  canvas.onpointercancel = (e) => fingers.delete(e.pointerId);
  canvas.oncontextmenu = (e) => e.preventDefault();
  canvas.onwheel = (e) => { e.preventDefault(); zoom(Math.exp(Math.max(-1, Math.min(1, e.deltaY * 0.0012))), e.offsetX, e.offsetY); move(); };
  canvas.onkeydown = (e) => {
    const step = { ArrowLeft: [40, 0], ArrowRight: [-40, 0], ArrowUp: [0, 40], ArrowDown: [0, -40] }[e.key];
    if (step) pan(...step);
    else if (e.key === "+" || e.key === "=") cam.far *= 0.8;
    else if (e.key === "-") cam.far *= 1.25;
    else if (e.key === "n") cam.turn = 0;
    else if (e.key === "Home") home();
    else if (e.key === "Escape") return select(null);
    else return;
    again();
  };
  $("north").onclick = () => { cam.turn = 0; again(); };
  window.onresize = again;
  canvas.addEventListener("webglcontextlost", () => sorry("The graphics card gave up; load the page again.", "显卡已中断，请重新加载页面。"));

  words();
  const first = doc.selection.find((id) => numbers.has(id));
  if (first !== undefined) select(numbers.get(first));
  // For scripts and tests: what the page knows, in its own terms.
  window.cim = {
    ready: true, objects: doc.count, triangles: things.reduce((s, t) => s + (t.lines ? 0 : t.count / 3), 0),
    pick: (x, y) => { const n = pick(x, y); return n === null ? null : idOf(n); },
    where: (x, y) => { const h = hit(x, y); return h && [h.place[0] + doc.frame.origin[0], h.place[1] + doc.frame.origin[1], h.place[2] + doc.frame.origin[2]]; },
    screen: (x, y, z) => screen([x - doc.frame.origin[0], y - doc.frame.origin[1], z - doc.frame.origin[2]]),
    place: (id) => { const n = numbers.get(id), m = n === undefined ? null : middle(n); return m && [m[0] + doc.frame.origin[0], m[1] + doc.frame.origin[1], (many[n] ? tops[n] : m[2]) + doc.frame.origin[2]]; },
    select: (id) => { const n = numbers.get(id); select(n === undefined ? null : n); },
    home: () => { home(); draw(); }, drawn: () => faces, touch: move, show, camera: cam, redraw: draw,
  };
})();
