// Starts the handler as Lambda's runtime for Node does. AWS's own client of the Runtime API has to be compiled, so these
// lines stand for it.

import { Agent, request } from "node:http";

import { handler } from "./handler.mjs";

const agent = new Agent({ keepAlive: true, maxSockets: 1 });
const runtime = `http://${process.env.AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime/invocation`;

function call(method, path, body) {
  return new Promise((resolve, reject) => {
    const call = request(`${runtime}/${path}`, { method, agent }, async (response) => {
      const chunks = await response.toArray();
      resolve({ headers: response.headers, body: Buffer.concat(chunks).toString() });
    });
    call.on("error", reject).end(body);
  });
}

for (;;) {
  const { headers, body } = await call("GET", "next");
  const id = headers["lambda-runtime-aws-request-id"];
  try {
    await call("POST", `${id}/response`, JSON.stringify(await handler(JSON.parse(body))));
  } catch (error) {
    console.error(error);
    await call("POST", `${id}/error`, JSON.stringify({ errorType: error.name, errorMessage: error.message }));
  }
}
