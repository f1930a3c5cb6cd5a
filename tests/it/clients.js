// HubSpot's own client for Node against the stand-in.
//
// Takes the folder of the client, the stand-in's address and a token, goes through the calls that the client offers for
// tasks, owners, properties and their groups, and prints what it made of the answers as JSON: the same facts as
// clients.py.

"use strict";

const [folder, basePath, accessToken] = process.argv.slice(2);
const { Client } = require(`${folder}/node_modules/@hubspot/api-client`);

const { crm } = new Client({ basePath, accessToken });
const facts = {};

const ids = (answer) => answer.results.map((result) => result.id);
const names = (answer) => answer.results.map((result) => result.name);
const failed = (answer) => [answer.constructor.name, answer.errors.map((error) => error.category)];
const row = (id, properties) => ({ id, idProperty: "ticket", properties });

/** The status of a refused call, and its body as the client's own type of error. */
async function refusal(call) {
  try {
    await call();
  } catch (refused) {
    const error = refused.body;
    return [refused.code, error.category, error.correlationId !== undefined];
  }
  throw new Error("this call had to be refused");
}

async function tasks() {
  const { basicApi: basic, batchApi: batch, searchApi: search } = crm.objects.tasks;
  const due = "2026-02-03T04:05:06Z";
  const ticket10 = { properties: { ticket: "10", hs_timestamp: due }, associations: [] };

  const created = await basic.create(ticket10);
  facts["create"] = created.properties.ticket;
  facts["create again"] = await refusal(() => basic.create(ticket10));
  const status = (value) => basic.update(created.id, { properties: { hs_task_status: value } });
  facts["update"] = (await status("WAITING")).properties.hs_task_status;
  facts["update wrong"] = await refusal(() => status("DONE"));
  const got = await basic.getById("10", ["hs_task_status"], undefined, undefined, false, "ticket");
  facts["get"] = got.properties.hs_task_status;
  facts["get nobody"] = await refusal(() => basic.getById("404"));
  const page = await basic.getPage(2, undefined, ["ticket"]);
  facts["list"] = [ids(page), page.paging.next.after];
  await basic.archive(created.id);
  facts["archived"] = (await basic.getById(created.id, undefined, undefined, undefined, true)).archived;

  const ticket11 = { properties: { ticket: "11", hs_timestamp: due }, associations: [] };
  const batchCreated = await batch.create({ inputs: [ticket11] });
  facts["batch create"] = [batchCreated.status, batchCreated.results[0].properties.ticket];
  const two = [row("1", { hs_task_subject: "a" }), row("2", { hs_task_subject: "b" })];
  facts["batch update"] = ids(await batch.update({ inputs: two }));
  const unknown = [row("1", { hs_task_subject: "c" }), row("404", { hs_task_subject: "d" })];
  const updated = await batch.update({ inputs: unknown });
  facts["batch update in part"] = [ids(updated), failed(updated), updated.errors[0].context.ids];
  const wrong = [row("1", { hs_task_subject: "e" }), row("2", { hs_task_priority: "TOP" })];
  facts["batch update wrong"] = await refusal(() => batch.update({ inputs: wrong }));
  const properties = ["hs_task_subject"];
  const asked = { inputs: [{ id: "1" }], idProperty: "ticket", properties, propertiesWithHistory: [] };
  facts["batch read"] = (await batch.read(asked)).results.map((result) => result.properties.hs_task_subject);
  const oneNew = [row("1", { hs_task_subject: "f" }), row("12", { hs_timestamp: due })];
  facts["batch upsert"] = (await batch.upsert({ inputs: oneNew })).results.map((result) => result._new);
  const traced = [
    { ...row("1", { hs_task_subject: "g" }), objectWriteTraceId: "a" },
    { ...row("2", { hs_task_priority: "TOP" }), objectWriteTraceId: "b" },
  ];
  const upserted = await batch.upsert({ inputs: traced });
  facts["batch upsert in part"] = [ids(upserted), failed(upserted), upserted.errors[0].context.objectWriteTraceId];
  const isOne = { propertyName: "ticket", operator: "EQ", value: "1" };
  const found = await search.doSearch({ filterGroups: [{ filters: [isOne] }], limit: 1, after: "0", sorts: [], properties });
  facts["search"] = [found.total, found.results[0].properties.hs_task_subject];
  await batch.archive({ inputs: [{ id: batchCreated.results[0].id }] });
  const gone = ids(await basic.getPage(10, undefined, undefined, undefined, undefined, true));
  facts["batch archived"] = gone.join() === [created.id, batchCreated.results[0].id].join();
}

async function owners() {
  const people = crm.owners.ownersApi;
  const all = await people.getPage(undefined, undefined, 500);
  facts["owners"] = all.results.map((owner) => [owner.email ?? null, owner.userId]);
  facts["owners by e-mail"] = ids(await people.getPage("ada@acme.example"));
  const archived = await people.getPage(undefined, undefined, 100, true);
  facts["owners archived"] = archived.results.map((owner) => [owner.id, owner.archived]);
  facts["owner by user"] = (await people.getById(7001, "userId")).id;
  facts["owner of nobody"] = await refusal(() => people.getById(404));
}

async function definitions() {
  const { coreApi: core, batchApi: batch, groupsApi: groups } = crm.properties;
  const definition = (name) => ({ name, label: name, type: "string", fieldType: "text", groupName: "tickets" });

  const tickets = { name: "tickets", label: "Tickets", displayOrder: 1 };
  facts["group"] = (await groups.create("tasks", tickets)).label;
  facts["group again"] = await refusal(() => groups.create("tasks", tickets));
  facts["group update"] = (await groups.update("tasks", "tickets", { label: "Other" })).label;
  facts["groups"] = names(await groups.getAll("tasks"));
  const created = await core.create("tasks", { ...definition("jira_key"), hasUniqueValue: true });
  facts["property"] = created.hasUniqueValue;
  facts["property again"] = await refusal(() => core.create("tasks", definition("jira_key")));
  facts["property update"] = (await core.update("tasks", "jira_key", { label: "Jira" })).label;
  const all = names(await core.getAll("tasks"));
  facts["properties"] = ["jira_key", "ticket", "hs_task_status"].every((name) => all.includes(name));
  const priority = await core.getByName("tasks", "hs_task_priority");
  facts["options"] = priority.options.map((option) => option.value);
  const part = await batch.create("tasks", { inputs: [definition("one"), definition("jira_key")] });
  facts["batch properties"] = [names(part), failed(part)];
  const asked = { inputs: [{ name: "one" }], archived: false, dataSensitivity: "non_sensitive" };
  facts["batch properties read"] = names(await batch.read("tasks", asked));
  await batch.archive("tasks", { inputs: [{ name: "one" }] });
  await core.archive("tasks", "jira_key");
  facts["properties archived"] = names(await core.getAll("tasks", true));
  facts["property gone"] = await refusal(() => core.getByName("tasks", "jira_key"));
  await groups.archive("tasks", "tickets");
  facts["group gone"] = await refusal(() => groups.getByName("tasks", "tickets"));
}

(async () => {
  await tasks();
  await owners();
  await definitions();
  console.log(JSON.stringify(facts));
})();
