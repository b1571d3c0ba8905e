// Requests to the server. What was refused becomes an Error with the server's own words.

export class Refused extends Error {
  constructor(text, kind) {
    super(text);
    this.kind = kind;
  }
}

async function answer(request) {
  let response;
  try {
    response = await request;
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused("The server does not answer. What was saved is safe; start it again.", "gone");
  }
  if (response.ok) return response;
  let said = {};
  try {
    said = await response.json();
  } catch {
    said = {};
  }
  throw new Refused(said.error || `The server answers ${response.status}.`, said.kind || "failed");
}

export async function get(path, signal) {
  return (await answer(fetch(path, { signal }))).json();
}

export async function post(path, body) {
  const headers = { "Content-Type": "application/json" };
  return (await answer(fetch(path, { method: "POST", headers, body: JSON.stringify(body) }))).json();
}

export async function cell(scene, row, column, signal) {
  const response = await answer(fetch(`/api/cells/${scene}/${row}/${column}`, { signal }));
  const bytes = new Uint8Array(await response.arrayBuffer());
  const pixels = bytes.length / 2;
  return {
    head: Number(response.headers.get("X-Head")),
    height: Number(response.headers.get("X-Height")),
    width: Number(response.headers.get("X-Width")),
    ids: bytes.subarray(0, pixels),
    confidence: bytes.subarray(pixels),
  };
}
