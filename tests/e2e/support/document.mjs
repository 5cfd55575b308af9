// The server's own OpenAPI document: makes the requests that its examples make, and holds every answer to it.

import assert from "node:assert/strict";
import { request as httpRequest } from "node:http";
import Ajv from "ajv/dist/2020.js";
import addFormats from "ajv-formats";

/** Headers that an answer has where its description names them, and nowhere else. */
const OPTIONAL_HEADERS = ["RateLimit", "RateLimit-Policy", "Retry-After"];

export class Documented {
  /** `operationId status` and `operationId code` of every answer so far. */
  answered = new Set();

  static async of(server) {
    const { text } = await send(server.url, "GET", "/openapi.json");
    return new Documented(server, JSON.parse(text));
  }

  constructor(server, document) {
    Object.assign(this, { server, document });
    this.ajv = new Ajv({ strict: false, allErrors: true });
    addFormats(this.ajv);
    this.ajv.addSchema(closed(document), "document");
  }

  /** `[{id, method, path, operation}]` */
  get operations() {
    return Object.entries(this.document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ id: operation.operationId, method: method.toUpperCase(), path, operation })),
    );
  }

  operation(id) {
    const found = this.operations.find((operation) => operation.id === id);
    assert.ok(found, `the document has no operation ${id}`);
    return found;
  }

  /** The body that the document's examples make, or nothing. */
  exampleBody(id) {
    const content = this.operation(id).operation.requestBody?.content["application/json"];
    return content && this.#example(content.schema);
  }

  /**
   * Sends the operation's example, with `change` in its body (`undefined` takes a member away), or `raw` instead of
   * it; the answer is held to the document.
   */
  async ask(id, { token, roomId, query = "", change = {}, raw, headers = {}, method, server = this.server } = {}) {
    const operation = this.operation(id);
    const example = this.exampleBody(id);
    const body = raw ?? (example && JSON.stringify({ ...example, ...change }));
    const path = operation.path.replace("{roomId}", roomId) + query;
    const answer = await send(server.url, method ?? operation.method, path, {
      headers: {
        ...(token ? { authorization: `Bearer ${token}` } : {}),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      body,
    });
    this.#hold(id, answer, method === "HEAD");
    return answer;
  }

  #hold(id, answer, isHead) {
    const { path, method, operation } = this.operation(id);
    const { status, headers, text } = answer;
    const what = `${id}: ${status} ${text.slice(0, 500)}`;
    const response = operation.responses[status];
    assert.ok(response, `${what} is not documented`);
    for (const [name, reference] of Object.entries(response.headers)) {
      const value = headers[name.toLowerCase()];
      const { required, schema } = this.resolved(reference);
      assert.ok(value !== undefined || !required, `${what} has no ${name}`);
      const typed = schema.type === "integer" ? Number(value) : value;
      if (value !== undefined) assert.ok(this.ajv.validate(schema, typed), `${what}: ${name}: ${value}`);
    }
    for (const name of OPTIONAL_HEADERS.filter((name) => headers[name.toLowerCase()] !== undefined)) {
      assert.ok(response.headers[name], `${what} has ${name}, which is not documented`);
    }
    this.answered.add(`${id} ${status}`);
    if (isHead || !response.content) return assert.equal(text, "", what);
    assert.deepEqual([headers["content-type"].split(";")[0]], Object.keys(response.content), what);
    answer.json = JSON.parse(text);
    const pointer = ["paths", path, method.toLowerCase(), "responses", status, "content", "application/json", "schema"];
    const escaped = pointer.map((part) => encodeURIComponent(String(part).replaceAll("~", "~0").replaceAll("/", "~1")));
    const validate = this.ajv.compile({ $ref: `document#/${escaped.join("/")}` });
    assert.ok(validate(answer.json), `${what}: ${JSON.stringify(validate.errors, null, 1)}`);
    if (answer.json.code) this.answered.add(`${id} ${answer.json.code}`);
  }

  /** Holds a message of the webhook to the document. */
  holdMessage({ type, timestamp, data }) {
    const validate = this.ajv.compile({ $ref: `document#/webhooks/${type}/post/requestBody/content/application~1json/schema` });
    assert.ok(validate({ type, timestamp, data }), `${type}: ${JSON.stringify(data)}: ${JSON.stringify(validate.errors, null, 1)}`);
  }

  /** The codes that the operation is documented to answer. */
  codesOf(operation) {
    const schemas = Object.values(operation.responses).map((response) => response.content?.["application/json"].schema);
    return schemas.flatMap((schema) => schema?.allOf?.[1].properties.code?.enum ?? []);
  }

  /** What a reference leads to. */
  resolved({ $ref, ...rest }) {
    if (!$ref) return rest;
    const target = $ref.slice(2).split("/").reduce((value, member) => value[member], this.document);
    return { ...this.resolved(target), ...rest };
  }

  #example(reference) {
    const schema = this.resolved(reference);
    if (schema.example !== undefined) return schema.example;
    if (schema.examples) return schema.examples[0];
    if (schema.properties) {
      return Object.fromEntries(Object.entries(schema.properties).map(([name, value]) => [name, this.#example(value)]));
    }
    if (schema.items) return [this.#example(schema.items)];
    const [alternative] = [schema.oneOf, schema.anyOf].find(Boolean) ?? [];
    assert.ok(alternative, `there is no example of ${JSON.stringify(reference)}`);
    return this.#example(alternative);
  }
}

/** Bodies of GET as well, and headers as they came. */
export function send(url, method, path, { headers = {}, body } = {}) {
  return new Promise((resolve, reject) => {
    const request = httpRequest(url + path, { method, headers, agent: false }, async (response) => {
      response.setEncoding("utf8");
      let text = "";
      for await (const chunk of response) text += chunk;
      resolve({ status: response.statusCode, headers: response.headers, text });
    });
    request.on("error", reject);
    if (body !== undefined) request.setHeader("content-length", Buffer.byteLength(body));
    request.end(body);
  });
}

/** The document with every object closed: a member that it does not name is an error. */
function closed(document) {
  const close = (schema) => (Object.keys(schema).length > 0 ? { ...walk(schema), unevaluatedProperties: false } : schema);
  const each = (object, change) => Object.fromEntries(Object.entries(object).map(([name, value]) => [name, change(value)]));
  const walk = (schema) => ({
    ...schema,
    ...(schema.properties ? { properties: each(schema.properties, close) } : {}),
    ...(schema.items ? { items: close(schema.items) } : {}),
    ...each(Object.fromEntries(["allOf", "oneOf", "anyOf"].filter((key) => schema[key]).map((key) => [key, schema[key]])), (schemas) => schemas.map(walk)),
  });
  /** A response or a request body. */
  const body = (it) => (it.content ? { ...it, content: each(it.content, (media) => ({ ...media, schema: close(media.schema) })) } : it);
  const operation = (it) => ({ ...it, responses: each(it.responses, body) });
  const message = (it) => ({ ...it, requestBody: body(it.requestBody) });
  return {
    ...document,
    paths: each(document.paths, (methods) => each(methods, operation)),
    webhooks: each(document.webhooks, (methods) => each(methods, message)),
    components: { ...document.components, schemas: each(document.components.schemas, walk) },
  };
}
