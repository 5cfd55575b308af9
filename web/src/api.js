// The REST API and its errors.

import { FINAL } from "./call/words.js";
import { errorWords, fieldWords } from "./error_words.js";
import { session } from "./session.js";

export class ApiError extends Error {
  /** `fields`: error messages by field name. */
  constructor({ message, status = 0, code = "offline", fields = {} }) {
    super(message);
    Object.assign(this, { status, code, fields });
  }
}

export const api = {
  get: (path) => request("GET", path),
  post: (path, body) => request("POST", path, body),
  put: (path, body) => request("PUT", path, body),
  delete: (path, body) => request("DELETE", path, body),
};

async function request(method, path, body) {
  const token = session.current?.token;
  const headers = { accept: "application/json" };
  if (token) headers.authorization = `Bearer ${token}`;
  if (body !== undefined) headers["content-type"] = "application/json";
  let response, answer;
  try {
    response = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
    answer = await response.json();
  } catch {
    throw new ApiError({ message: "The server cannot be reached. Check your connection and try again." });
  }
  if (response.ok) return answer;
  // The token is no longer valid: end the session, which shows the sign-in page.
  if (answer.code?.startsWith("token_") && token === session.current?.token) session.end(FINAL.get(answer.code) ?? FINAL.get("token_invalid"));
  const fields = Object.fromEntries((answer.fields ?? []).map((error) => [error.field, fieldWords(error)]));
  throw new ApiError({ message: errorWords({ ...answer, message: answer.error }), status: response.status, code: answer.code, fields });
}
