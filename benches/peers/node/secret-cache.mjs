// Secrets of Secrets Manager, fetched together and kept for five minutes.

import { BatchGetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";

const LIFETIME = 300_000; // milliseconds
// A secret that was refused is looked for again at once, but not with every forged delivery.
const PAUSE = 10_000;

export class SecretCache {
  #client = new SecretsManagerClient({ requestHandler: { connectionTimeout: 1000, requestTimeout: 2000 } });
  #names;
  #values = new Map();
  #fetched = -Infinity;

  constructor(...names) {
    this.#names = names;
  }

  /** The secret's value; throws if there is none. */
  async get(name) {
    if (performance.now() - this.#fetched > LIFETIME) {
      try {
        await this.#fetch();
      } catch (error) {
        // What was right five minutes ago most likely still is.
        if (!this.#values.has(name)) throw error;
        console.error("cannot refresh the secrets", error);
      }
    }
    if (!this.#values.has(name)) throw new Error(`there is no secret ${name}`);
    return this.#values.get(name);
  }

  /** A newer value of a secret that was refused, as it may have been rotated; undefined if there is none. */
  async refresh(name) {
    if (performance.now() - this.#fetched < PAUSE) return undefined;
    const before = this.#values.get(name);
    await this.#fetch();
    const now = this.#values.get(name);
    return now === before ? undefined : now;
  }

  async #fetch() {
    const answer = await this.#client.send(new BatchGetSecretValueCommand({ SecretIdList: this.#names }));
    for (const error of answer.Errors ?? []) {
      console.error(`cannot get the secret ${error.SecretId}: ${error.ErrorCode}`);
    }
    for (const secret of answer.SecretValues) this.#values.set(secret.Name, secret.SecretString);
    this.#fetched = performance.now();
  }
}
