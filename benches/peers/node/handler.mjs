// GitHub issues -> HubSpot tasks: a Lambda function behind a Function URL, with AWS's SDK and HubSpot's own client.

import { createHmac, timingSafeEqual } from "node:crypto";
import http from "node:http";
import https from "node:https";

import { Client } from "@hubspot/api-client";

import { isAboutAnIssue, properties, taskId, utc } from "./mapping.mjs";
import { SecretCache } from "./secret-cache.mjs";

const GITHUB_SECRET = "taskhook/github";
const { HUBSPOT_BASE_URL, HUBSPOT_TOKEN_SECRET: TOKEN_SECRET } = process.env;
const ID_PROPERTY = "github_issue";
const UPDATED_AT_PROPERTY = "github_updated_at";
const TIMEOUT = 5000; // milliseconds for a call to HubSpot with its tries

const { Agent } = HUBSPOT_BASE_URL?.startsWith("http:") ? http : https;
const httpAgent = new Agent({ keepAlive: true });
const secrets = new SecretCache(GITHUB_SECRET, TOKEN_SECRET);
let hubspot, tokenInUse;

try {
  // While Lambda gives the start a whole processor.
  await tasks();
} catch (error) {
  console.error("cannot get the secrets yet", error);
}

/** HubSpot's API of tasks with the current token. */
async function tasks() {
  const accessToken = await secrets.get(TOKEN_SECRET);
  if (accessToken !== tokenInUse) {
    hubspot = new Client({
      accessToken,
      httpAgent,
      numberOfApiCallRetries: 3,
      ...(HUBSPOT_BASE_URL && { basePath: HUBSPOT_BASE_URL }),
    });
    tokenInUse = accessToken;
  }
  return hubspot.crm.objects.tasks.batchApi;
}

export async function handler(event) {
  const body = Buffer.from(event.body ?? "", event.isBase64Encoded ? "base64" : "utf8");
  try {
    if (!(await isSigned(body, event.headers["x-hub-signature-256"] ?? ""))) {
      return answer(401, { title: "the signature is missing or wrong" });
    }
    const payload = parse(body);
    if (payload === undefined) return answer(400, { title: "the body cannot be read" });
    return answer(200, summary(event.headers["x-github-delivery"], await follow(payload)));
  } catch (error) {
    console.error("HubSpot or Secrets Manager refuses or cannot be reached", error);
    return answer(503, { title: "a service refuses or cannot be reached" }, { "retry-after": "10" });
  }
}

async function isSigned(body, signature) {
  const given = Buffer.from(signature);
  const isRight = (secret) => {
    const expected = Buffer.from(`sha256=${createHmac("sha256", secret).update(body).digest("hex")}`);
    return expected.length === given.length && timingSafeEqual(expected, given);
  };
  if (isRight(await secrets.get(GITHUB_SECRET))) return true;
  const rotated = await secrets.refresh(GITHUB_SECRET);
  return rotated !== undefined && isRight(rotated);
}

/** The payload of a body of JSON, or of a form as GitHub sends it; undefined if there is none. */
function parse(body) {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(body);
    const payload = JSON.parse(text.startsWith("payload=") ? new URLSearchParams(text).get("payload") : text);
    return payload !== null && typeof payload === "object" ? payload : undefined;
  } catch (error) {
    console.error("the body cannot be read", error);
    return undefined;
  }
}

/** Updates the issue's task. Returns what became of it, undefined if the event is about something else. */
async function follow(payload) {
  if (!isAboutAnIssue(payload)) return undefined;
  let id, values;
  try {
    id = taskId(payload);
    values = { ...properties(payload), [UPDATED_AT_PROPERTY]: utc(payload.issue.updated_at) };
  } catch (error) {
    console.error("the event cannot be mapped", error);
    return { outcome: "failed", reason: "mapping" };
  }
  let outcome;
  try {
    outcome = await write(id, values);
  } catch (error) {
    if (error.code === 401 && (await secrets.refresh(TOKEN_SECRET))) {
      outcome = await write(id, values);
    } else if (error.code === 400 || error.code === 409) {
      console.error(`HubSpot refuses ${id}`, error.body);
      outcome = { outcome: "failed", reason: "rejected" };
    } else {
      throw error;
    }
  }
  return { id, idProperty: ID_PROPERTY, ...outcome };
}

async function write(id, values) {
  const names = [ID_PROPERTY, ...Object.keys(values)];
  const asked = { inputs: [{ id }], idProperty: ID_PROPERTY, properties: names, propertiesWithHistory: [] };
  const batch = await tasks();
  const record = (await inTime(batch.read(asked))).results[0];
  if (record === undefined) return { outcome: "failed", reason: "not_found" };
  const seen = record.properties[UPDATED_AT_PROPERTY];
  if (seen && utc(seen) > values[UPDATED_AT_PROPERTY]) return { outcome: "stale" };
  const isSame = Object.entries(values).every(([name, value]) => (record.properties[name] ?? "") === value);
  if (isSame) return { outcome: "unchanged" };
  const written = await inTime(batch.update({ inputs: [{ id: record.id, properties: values }] }));
  if (written.results.some(({ id }) => id === record.id)) return { outcome: "updated", recordId: record.id };
  console.error(`HubSpot did not update ${id}`, written.errors);
  return { outcome: "failed", reason: "rejected" };
}

/** HubSpot's client knows no time limit. */
async function inTime(call) {
  let timer;
  const limit = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("HubSpot is too slow")), TIMEOUT);
  });
  try {
    return await Promise.race([call, limit]);
  } finally {
    clearTimeout(timer);
  }
}

function summary(event, row) {
  const outcome = row?.outcome ?? "filtered";
  const count = (name) => [name, name === outcome ? 1 : 0];
  const counts = Object.fromEntries(["updated", "unchanged", "stale", "filtered", "failed"].map(count));
  const result = { source: "github", event, received: 1, ...counts, tasks: row ? [row] : [] };
  console.log(JSON.stringify(result));
  return result;
}

function answer(statusCode, body, headers = {}) {
  return { statusCode, headers: { "content-type": "application/json", ...headers }, body: JSON.stringify(body) };
}
