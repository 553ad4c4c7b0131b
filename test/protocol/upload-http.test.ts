/** XEP-0363 over HTTP, on real sockets: one PUT for each slot, ranges, conditions, headers, and nothing left of what failed. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdir, readdir, readlink, symlink, writeFile } from "node:fs/promises";
import type { Socket } from "node:net";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import sharp from "sharp";
import { parseJid } from "../../src/xmpp/jid.ts";
import { cast, type Stage } from "../support/cast.ts";
import { until } from "../support/until.ts";
import { ask, dial, onDisk, put, slot, upload } from "../support/upload.ts";

const idOf = (path: string): string => path.split("/")[2]!;

/** The first bytes of a PUT on a connection that the test goes on with. */
async function begins(stage: Stage, path: string, head: string, body: string | Uint8Array): Promise<Socket> {
  const socket = await dial(stage);
  socket.write(`PUT ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n${head}\r\n\r\n`);
  socket.write(body);
  return socket;
}

const partOf = (path: string): string => `${idOf(path)}.part`;
const isComing = (stage: Stage, path: string) => async () => (await onDisk(stage)).includes(partOf(path));

/** All that a socket says from now on until it closes. */
function heard(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    let said = "";
    socket.setEncoding("latin1").on("data", (text: string) => (said += text));
    socket.on("error", () => undefined);
    socket.once("close", () => resolve(said));
  });
}

describe("PUT", () => {
  test("stores the file as it is; a restart does not touch it", async (t) => {
    await using stage = await cast(t, { romeo: {} });
    const body = Buffer.alloc(3_000_000, "0123456789");
    const path = await slot(stage.actors.romeo, stage, { name: "a.bin", size: body.length });
    const answer = await put(stage, path, body);
    assert.deepEqual([answer.status, answer.body.length], [201, 0]);
    assert((await ask(stage, "GET", path)).body.equals(body));
    await stage.restarts();
    assert((await ask(stage, "GET", path)).body.equals(body));
  });

  test("is for once", async (t) => {
    await using stage = await cast(t, { romeo: {} });
    const path = await upload(stage.actors.romeo, stage, "first");
    assert.equal((await put(stage, path, "other")).status, 409);
    assert.equal((await ask(stage, "GET", path)).body.toString(), "first");
  });

  test("of the same slot at the same time: the first has it", async (t) => {
    await using stage = await cast(t, { romeo: {} });
    const path = await slot(stage.actors.romeo, stage, { size: 10 });
    const socket = await begins(stage, path, "Content-Length: 10\r\nConnection: close", "hello");
    await until(isComing(stage, path), "the first upload begins");
    assert.equal((await put(stage, path, "intruder!!")).status, 409);
    const answer = heard(socket);
    socket.write("romeo");
    assert.match(await answer, /^HTTP\/1\.1 201 /);
    assert.equal((await ask(stage, "GET", path)).body.toString(), "helloromeo");
  });

  test("that breaks off leaves nothing, and the slot is as it was", async (t) => {
    await using stage = await cast(t, { romeo: {} });
    const path = await slot(stage.actors.romeo, stage, { size: 10 });
    const socket = await begins(stage, path, "Content-Length: 10", "hello");
    await until(isComing(stage, path), "the upload begins");
    socket.destroy();
    await until(async () => (await onDisk(stage)).length === 0, "nothing is left");
    assert.equal((await ask(stage, "GET", path)).status, 404);
    await until(async () => (await put(stage, path, "helloromeo")).status === 201, "the slot is free");
  });

  test("of another size, of another type or in parts is refused and leaves nothing", async (t) => {
    await using stage = await cast(t, { romeo: {} });
    const path = await slot(stage.actors.romeo, stage, { size: 5, type: "text/plain; charset=utf-8" });
    const type = { "Content-Type": "text/plain;charset=UTF-8" };
    const statuses: [status: number, ...rest: [string, Record<string, string>]][] = [
      [413, "longer", type],
      [400, "less", type],
      [413, "x".repeat(3_000_000), type],
      [415, "hello", {}],
      [415, "hello", { "Content-Type": "text/html" }],
      [400, "hello", { ...type, "Content-Range": "bytes 0-4/5" }],
    ];
    for (const [status, body, headers] of statuses) {
      assert.equal((await put(stage, path, body, headers)).status, status, `${body.slice(0, 9)} ${status}`);
    }
    // Without a Content-Length it is chunked, and could be endless.
    assert.equal(
      (await ask(stage, "PUT", path, { ...type, "Transfer-Encoding": "chunked" }, "hello")).status,
      411,
    );
    assert.deepEqual(await onDisk(stage), []);
    assert.equal((await put(stage, path, "hello", type)).status, 201);
  });

  test("where there is no slot, by whatever path, is refused", async (t) => {
    await using stage = await cast(t, { romeo: {} });
    const path = await slot(stage.actors.romeo, stage, { name: "a.txt" });
    const id = idOf(path);
    const wrong = [
      `/upload/${id}/b.txt`,
      `/upload/${id.slice(1)}x/a.txt`,
      `/upload/${id}/..%2Fa.txt`,
      `/upload/..%2f..%2fpipit.db/a.txt`,
      `/upload/%2e%2e/a.txt`,
      `/upload/../pipit.db`,
      `/upload/${id}/../../pipit.toml`,
    ];
    for (const one of wrong) {
      const { status } = await put(stage, one, "hello");
      assert(status === 404 || status === 405, `${one}: ${status}`);
      assert.equal((await ask(stage, "GET", one)).status, 404, one);
    }
    assert.deepEqual(await onDisk(stage), []);
  });

  test("takes the link however a client spells it", async (t) => {
    await using stage = await cast(t, { romeo: {} });
    const path = await slot(stage.actors.romeo, stage, { name: "it&apos;s (très) cool!.txt", size: 5 });
    const other = path
      .replace("%28", "(")
      .replace("%29", ")")
      .replace("%21", "!")
      .replace("%C3%A8", "%c3%a8");
    assert.notEqual(other, path);
    assert.equal((await put(stage, other, "hello")).status, 201);
    // A composed letter and one with its accent beside it are the same name.
    for (const one of [path, other, path.replace("%C3%A8", "e%CC%80")]) {
      assert.equal((await ask(stage, "GET", one)).body.toString(), "hello", one);
    }
  });

  test("onto a full disk fails, leaves nothing and can be tried again", async (t) => {
    await using stage = await cast(t, { romeo: {} });
    const path = await slot(stage.actors.romeo, stage, { size: 100_000 });
    // The folder is looked through before the first upload, so there has to be one.
    await upload(stage.actors.romeo, stage, "hello");
    await symlink("/dev/full", join(stage.config.data, "uploads", partOf(path)));
    assert.equal((await put(stage, path, Buffer.alloc(100_000))).status, 507);
    assert.equal((await onDisk(stage)).length, 1);
    assert.equal((await put(stage, path, Buffer.alloc(100_000))).status, 201);
  });
});

test("what a crash left is gone with the first upload after it", async (t) => {
  await using stage = await cast(t, { romeo: {} });
  const path = await upload(stage.actors.romeo, stage, "hello");
  const open = await slot(stage.actors.romeo, stage);
  await stage.stops();
  const folder = join(stage.config.data, "uploads");
  await mkdir(folder, { recursive: true });
  for (const name of ["AAAAAAAAAAAAAAAAAAAAAAAA", "BBBB.part", "CCCC.640.webp", partOf(path), idOf(open)]) {
    await writeFile(join(folder, name), "left");
  }
  await stage.starts();
  await stage.login("romeo");
  assert.equal((await put(stage, open, "later")).status, 201);
  assert.deepEqual(await onDisk(stage), [idOf(path), idOf(open)].sort());
  assert.equal((await ask(stage, "GET", path)).body.toString(), "hello");
  assert.equal((await ask(stage, "GET", open)).body.toString(), "later");
});

describe("GET", () => {
  const digits = "0123456789";

  test("of a part gives exactly that (RFC 9110 §14)", async (t) => {
    await using stage = await cast(t, { romeo: {} });
    const path = await upload(stage.actors.romeo, stage, digits);
    const parts: Record<string, [string, string]> = {
      "bytes=0-0": ["0", "0-0"],
      "bytes=0-4": ["01234", "0-4"],
      "bytes=5-": ["56789", "5-9"],
      "bytes=9-9": ["9", "9-9"],
      "bytes=8-100": ["89", "8-9"],
      "bytes=8-99999999999999999999": ["89", "8-9"],
      "bytes=-1": ["9", "9-9"],
      "bytes=-3": ["789", "7-9"],
      "bytes=-10": [digits, "0-9"],
      "bytes=-11": [digits, "0-9"],
      "bytes=0-": [digits, "0-9"],
      "BYTES=1-2": ["12", "1-2"],
    };
    for (const [range, [body, where]] of Object.entries(parts)) {
      const answer = await ask(stage, "GET", path, { Range: range });
      const { "content-range": told, "content-length": length } = answer.headers;
      assert.deepEqual([answer.status, answer.body.toString()], [206, body], range);
      assert.deepEqual([told, length], [`bytes ${where}/10`, String(body.length)], range);
    }
    for (const range of ["bytes=10-", "bytes=10-12", "bytes=-0", "bytes=99999999999999999999-"]) {
      const answer = await ask(stage, "GET", path, { Range: range });
      assert.deepEqual([answer.status, answer.headers["content-range"]], [416, "bytes */10"], range);
    }
    const whole = [
      "bytes=5-4",
      "bytes=-",
      "bytes=a-b",
      "bytes=0-1,3-4",
      "lines=0-1",
      "bytes 0-1",
      "bytes=0-1-2",
    ];
    for (const range of whole) {
      const answer = await ask(stage, "GET", path, { Range: range });
      assert.deepEqual([answer.status, answer.body.toString()], [200, digits], range);
      assert.equal(answer.headers["accept-ranges"], "bytes");
    }
    const head = await ask(stage, "HEAD", path, { Range: "bytes=0-1" });
    assert.deepEqual([head.status, head.headers["content-length"]], [200, "10"], "only GET has ranges");
  });

  test("of a part of what may have changed (If-Range)", async (t) => {
    await using stage = await cast(t, { romeo: {} });
    const path = await upload(stage.actors.romeo, stage, digits);
    const { etag = "", "last-modified": modified = "" } = (await ask(stage, "HEAD", path)).headers;
    const status = async (condition: string) =>
      (await ask(stage, "GET", path, { Range: "bytes=1-2", "If-Range": condition })).status;
    assert.equal(await status(etag), 206);
    assert.equal(await status(modified), 206);
    assert.equal(await status(`W/${etag}`), 200);
    assert.equal(await status('"another"'), 200);
    assert.equal(await status(new Date(0).toUTCString()), 200);
  });

  test("of what the client has already says so", async (t) => {
    await using stage = await cast(t, { romeo: {} });
    const path = await upload(stage.actors.romeo, stage, digits);
    const { etag = "", "last-modified": modified = "" } = (await ask(stage, "GET", path)).headers;
    assert.match(etag, /^"[^"]+"$/);
    for (const headers of [
      { "If-None-Match": etag },
      { "If-None-Match": `"x", W/${etag}` },
      { "If-None-Match": "*" },
      { "If-Modified-Since": modified },
      { "If-None-Match": etag, Range: "bytes=0-1" },
    ]) {
      for (const method of ["GET", "HEAD"]) {
        const answer = await ask(stage, method, path, headers);
        assert.deepEqual([answer.status, answer.body.length, answer.headers.etag], [304, 0, etag]);
        assert.match(String(answer.headers["content-security-policy"]), /^default-src 'none'; frame/);
      }
    }
    assert.equal((await ask(stage, "GET", path, { "If-None-Match": '"x"' })).status, 200);
  });

  test("and HEAD say the same", async (t) => {
    await using stage = await cast(t, { romeo: {} });
    const path = await upload(stage.actors.romeo, stage, digits);
    const [get, head] = await Promise.all([ask(stage, "GET", path), ask(stage, "HEAD", path)]);
    delete get.headers.date;
    delete head.headers.date;
    assert.deepEqual([head.status, head.headers], [get.status, get.headers]);
    assert.equal(head.headers["content-length"], "10");
    assert.equal(head.body.length, 0);
  });

  test("that is broken off leaves no file open", async (t) => {
    await using stage = await cast(t, { romeo: {} });
    const path = await upload(stage.actors.romeo, stage, Buffer.alloc(50_000_000));
    const file = join(stage.config.data, "uploads", idOf(path));
    const isOpen = async () => {
      const links = (await readdir("/proc/self/fd")).map((fd) =>
        readlink(`/proc/self/fd/${fd}`).catch(() => ""),
      );
      return (await Promise.all(links)).includes(file);
    };
    const socket = await dial(stage);
    socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`);
    await once(socket, "data");
    socket.pause();
    assert(await isOpen(), "50 MB do not fit into a socket");
    socket.destroy();
    await until(async () => !(await isOpen()), "the file is closed");
  });
});

describe("headers", () => {
  test("keep browsers from running what people upload (§11.1)", async (t) => {
    await using stage = await cast(t, { romeo: {} });
    const { romeo } = stage.actors;
    const script = "<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>";
    const types: [type: string, served: string, disposition: "inline" | "attachment"][] = [
      ["image/jpeg", "image/jpeg", "inline"],
      ["IMAGE/PNG", "IMAGE/PNG", "inline"],
      ["audio/ogg; codecs=opus", "audio/ogg; codecs=opus", "inline"],
      ["video/mp4", "video/mp4", "inline"],
      ["text/html", "text/html", "attachment"],
      ["text/html; charset=utf-7", "text/html; charset=utf-7", "attachment"],
      ["application/xhtml+xml", "application/xhtml+xml", "attachment"],
      ["image/svg+xml", "image/svg+xml", "attachment"],
      ["application/pdf", "application/pdf", "attachment"],
      ["text/plain", "text/plain", "attachment"],
      // By its ending this is XML, which browsers show as the document that it is (MIME Sniffing §4.6).
      ["video/x+xml", "video/x+xml", "attachment"],
      ["audio/x+xml; charset=utf-8", "audio/x+xml; charset=utf-8", "attachment"],
      // A page of ours must not load them either, should somebody get the reference into it.
      ["text/javascript", "application/octet-stream", "attachment"],
      ["application/x-javascript", "application/octet-stream", "attachment"],
      ["Text/CSS", "application/octet-stream", "attachment"],
    ];
    for (const [type, served, disposition] of types) {
      const path = await upload(romeo, stage, script, { name: 'a "b".x', type });
      const { headers } = await ask(stage, "GET", path);
      assert.equal(headers["content-type"], served);
      assert.equal(
        headers["content-disposition"],
        `${disposition}; filename="a _b_.x"; filename*=UTF-8''a%20%22b%22.x`,
        type,
      );
      const media = /^(audio|video)/.test(type) ? "media-src 'self'; " : "";
      assert.equal(headers["content-security-policy"], `default-src 'none'; ${media}frame-ancestors 'none'`);
      assert.equal(headers["x-content-type-options"], "nosniff");
      assert.equal(headers["referrer-policy"], "no-referrer");
    }
  });

  test("without a type in the slot, the type is that of the PUT", async (t) => {
    await using stage = await cast(t, { romeo: {} });
    const { romeo } = stage.actors;
    const typeAfter = async (headers: Record<string, string>) => {
      const path = await slot(romeo, stage);
      assert.equal((await put(stage, path, "hello", headers)).status, 201);
      return (await ask(stage, "GET", path)).headers["content-type"];
    };
    assert.equal(await typeAfter({ "Content-Type": "image/png" }), "image/png");
    assert.equal(await typeAfter({}), "application/octet-stream");
    assert.equal(await typeAfter({ "Content-Type": "nonsense" }), "application/octet-stream");
  });

  test("let caches keep a file, but not longer than it lives", async (t) => {
    await using stage = await cast(t, { romeo: {} }, { config: { upload: { keep_days: 2 } } });
    const { romeo } = stage.actors;
    const ageOf = async (purpose: string) => {
      const path = await upload(romeo, stage, "hello", { purpose });
      const said = String((await ask(stage, "GET", path)).headers["cache-control"]);
      return Number(/^public, max-age=(\d+), immutable$/.exec(said)?.[1]);
    };
    assert.equal(await ageOf("permanent"), 31_536_000);
    const message = await ageOf("message");
    assert(message <= 2 * 86_400 && message > 2 * 86_400 - 60);
    const ephemeral = await ageOf(
      `ephemeral expire-before='${new Date(Date.now() + 600_000).toISOString()}'`,
    );
    assert(ephemeral <= 600 && ephemeral > 540);
  });

  test("let web clients of other origins put and fetch (§9)", async (t) => {
    await using stage = await cast(t, { romeo: {} });
    const path = await slot(stage.actors.romeo, stage);
    const origin = { Origin: "https://client.example" };
    const asked = {
      "Access-Control-Request-Method": "PUT",
      "Access-Control-Request-Headers": "content-type",
    };
    const preflight = await ask(stage, "OPTIONS", path, { ...origin, ...asked });
    assert.equal(preflight.status, 204);
    assert.equal(preflight.headers["access-control-allow-origin"], "*");
    assert.equal(preflight.headers["access-control-allow-methods"], "OPTIONS, HEAD, GET, PUT");
    assert.match(String(preflight.headers["access-control-allow-headers"]), /Authorization, Content-Type/);
    const answers = [
      await put(stage, path, "too long", origin),
      await put(stage, path, "hello", origin),
      await ask(stage, "GET", path, origin),
      await ask(stage, "GET", `${path}x`, origin),
    ];
    assert.deepEqual(
      answers.map(({ status, headers }) => [status, headers["access-control-allow-origin"]]),
      [413, 201, 200, 404].map((status) => [status, "*"]),
    );
    assert.equal(answers[2]!.headers["cross-origin-resource-policy"], "cross-origin");
  });

  test("of other methods name those that there are", async (t) => {
    await using stage = await cast(t, { romeo: {} });
    const path = await upload(stage.actors.romeo, stage, "hello");
    for (const method of ["POST", "DELETE", "PATCH"]) {
      const answer = await ask(stage, method, path);
      assert.equal(answer.status, 405);
      assert.match(String(answer.headers.allow), /GET.*PUT/);
    }
  });
});

describe("previews", () => {
  const photo = (width: number, height: number, background = "green") =>
    sharp({ create: { width, height, channels: 3, background } });

  async function place(t: TestContext) {
    const stage = await cast(t, { romeo: {} });
    const show = async (body: Uint8Array, type: string, name = "a") => {
      const path = await upload(stage.actors.romeo, stage, body, { type, name });
      return { path, get: (query = "") => ask(stage, "GET", path + query) };
    };
    return { stage, show };
  }

  test("are smaller, upright and without metadata; the file itself stays as it is", async (t) => {
    const { show } = await place(t);
    const original = await photo(2_000, 1_000)
      .withMetadata({ orientation: 6 })
      .withExif({ IFD3: { GPSLatitude: "52/1 31/1 0/1", GPSLatitudeRef: "N" } })
      .jpeg()
      .toBuffer();
    const { get } = await show(original, "image/jpeg");
    assert((await get()).body.equals(original));
    for (const width of [640, 1_280]) {
      const answer = await get(`?w=${width}`);
      if (width === 1_280) {
        assert(answer.body.equals(original), "upright it is 1,000 pixels wide, so it is shown as it is");
        continue;
      }
      assert.deepEqual([answer.status, answer.headers["content-type"]], [200, "image/webp"]);
      const { format, width: real, height, exif, orientation } = await sharp(answer.body).metadata();
      assert.deepEqual(
        { format, real, height, exif, orientation },
        {
          ...{ format: "webp", real: 640, height: 1_280, exif: undefined, orientation: undefined },
        },
      );
    }
  });

  test("are made once, and go with the file", async (t) => {
    const { stage, show } = await place(t);
    const { path, get } = await show(await photo(2_000, 1_000).png().toBuffer(), "image/png");
    const answers = await Promise.all([get("?w=640"), get("?w=640"), get("?w=1280"), get("?w=640")]);
    assert.equal(new Set(answers.map(({ headers }) => headers.etag)).size, 2);
    const id = idOf(path);
    assert.deepEqual(await onDisk(stage), [id, `${id}.1280.webp`, `${id}.640.webp`]);
    const { etag = "" } = answers[0]!.headers;
    assert.equal((await ask(stage, "GET", `${path}?w=640`, { "If-None-Match": etag })).status, 304);
    const part = await ask(stage, "GET", `${path}?w=640`, { Range: "bytes=0-3" });
    assert.equal(part.body.toString(), "RIFF");
    await stage.actors.romeo.ends();
    await stage.node.accounts.remove(parseJid(stage.bare("romeo"))!);
    assert.deepEqual(await onDisk(stage), []);
  });

  test("of what is none, of other widths, of moving pictures and of bombs are the file itself", async (t) => {
    const { stage, show } = await place(t);
    const svg = Buffer.from("<svg xmlns='http://www.w3.org/2000/svg' width='2000' height='2000'/>");
    const frames = await Promise.all(
      ["red", "blue"].map((background) => photo(700, 700, background).png().toBuffer()),
    );
    const moving = await sharp(frames, { join: { animated: true } })
      .webp()
      .toBuffer();
    const cases: [string, Buffer, string][] = [
      ["image/svg+xml", svg, "?w=640"],
      ["image/png", svg, "?w=640"],
      ["image/jpeg", Buffer.from("no picture at all"), "?w=640"],
      ["text/plain", Buffer.from("words"), "?w=640"],
      ["image/png", await photo(2_000, 100).png().toBuffer(), "?w=641"],
      ["image/png", await photo(600, 100).png().toBuffer(), "?w=640"],
      ["image/webp", moving, "?w=640"],
      ["image/png", await photo(8_000, 7_000).png().toBuffer(), "?w=640"],
    ];
    for (const [type, body, query] of cases) {
      const { get } = await show(body, type);
      for (let time = 0; time < 2; time += 1) {
        const answer = await get(query);
        assert.deepEqual([answer.status, answer.headers["content-type"]], [200, type]);
        assert(answer.body.equals(body), `${type} ${query}`);
      }
    }
    assert.equal((await onDisk(stage)).length, cases.length);
  });
});
