// Shows every operation of /openapi.json with a form that tries it. Everything is put in as text, never as markup.
"use strict";

const make = (name, attributes = {}, ...children) => {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
};

const resolve = (api, schema) =>
  schema && schema.$ref ? schema.$ref.slice(2).split("/").reduce((at, step) => at[step], api) : schema || {};

// An example of a body, from its schema: what must be there, and what has an example.
const sample = (api, given) => {
  const schema = resolve(api, given);
  if (schema.example !== undefined) return schema.example;
  if (schema.default !== undefined) return schema.default;
  const one = (schema.oneOf || schema.allOf || []).find((s) => s.type !== "null");
  if (one) return sample(api, one);
  if (schema.enum) return schema.enum[0];
  const type = [].concat(schema.type).find((t) => t !== "null");
  if (type === "object") {
    const wanted = schema.required || [];
    const entries = Object.entries(schema.properties || {});
    const shown = entries.filter(([name, s]) => wanted.includes(name) || resolve(api, s).example !== undefined);
    return Object.fromEntries(shown.map(([name, s]) => [name, sample(api, s)]));
  }
  if (type === "integer" || type === "number") return schema.minimum || 0;
  if (schema.format === "date") return "2030-07-01";
  return type === "boolean" ? false : "";
};

const field = (label, about, input, id) => {
  input.id = id;
  return [make("label", { for: id }, label, make("small", {}, about ? ` ${about}` : "")), input];
};

const operation = (api, path, method, op) => {
  const id = op.operationId;
  const inputs = (op.parameters || []).map((p) => {
    const value = p.name === "Idempotency-Key" ? crypto.randomUUID() : p.example ?? p.schema?.default ?? "";
    const input = make("input", { value, autocomplete: "off" });
    if (p.required) input.required = true;
    return { p, input };
  });
  const form = make("form", {});
  for (const { p, input } of inputs) form.append(...field(p.name, p.description, input, `${id}-${p.name}`));
  const schema = op.requestBody?.content?.["application/json"]?.schema;
  const body = schema && make("textarea", { rows: 12, spellcheck: "false" });
  if (body) {
    body.value = JSON.stringify(sample(api, schema), null, 2);
    form.append(...field("Body", "", body, `${id}-body`));
  }
  const answer = make("pre", { tabindex: 0, hidden: "" });
  form.append(make("button", { type: "submit" }, "Try it"), answer);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    answer.hidden = false;
    answer.textContent = "…";
    const query = new URLSearchParams();
    const headers = {};
    let url = path;
    for (const { p, input } of inputs) {
      if (p.in === "path") url = url.replace(`{${p.name}}`, encodeURIComponent(input.value));
      else if (input.value !== "" && p.in === "query") query.set(p.name, input.value);
      else if (input.value !== "") headers[p.name] = input.value;
    }
    if ([...query].length) url += `?${query}`;
    const token = document.getElementById("token").value;
    if (token) headers.Authorization = `Bearer ${token}`;
    if (body) headers["Content-Type"] = "application/json";
    try {
      const response = await fetch(url, { method: method.toUpperCase(), headers, body: body?.value });
      const lines = [`${response.status} ${response.statusText}`, ...[...response.headers].map(([k, v]) => `${k}: ${v}`), ""];
      answer.textContent = lines.join("\n");
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let text = "";
      for (let part = await reader.read(); !part.done; part = await reader.read()) {
        text += part.value;
        answer.textContent = lines.join("\n") + "\n" + pretty(text);
      }
    } catch (error) {
      answer.textContent = String(error);
    }
  });
  const head = make("summary", {}, make("span", { class: "method" }, method.toUpperCase()), make("span", { class: "path" }, path), ` ${op.summary || ""}`);
  return make("details", {}, head, make("p", {}, op.description || ""), form);
};

const pretty = (text) => {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
};

(async () => {
  const place = document.getElementById("operations");
  try {
    const api = await (await fetch("/openapi.json")).json();
    document.getElementById("title").textContent = `${api.info.title} ${api.info.version}`;
    document.getElementById("about").textContent = api.info.description;
    place.replaceChildren();
    for (const tag of api.tags || []) {
      place.append(make("h2", {}, tag.name), make("p", {}, tag.description || ""));
      for (const [path, methods] of Object.entries(api.paths)) {
        for (const [method, op] of Object.entries(methods)) {
          if ((op.tags || []).includes(tag.name)) place.append(operation(api, path, method, op));
        }
      }
    }
  } catch (error) {
    place.textContent = `The document could not be loaded: ${error}`;
  }
})();
