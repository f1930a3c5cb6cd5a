"""HubSpot's own client for Python against the stand-in.

Takes the stand-in's address and a token, goes through the calls that the client offers for tasks, owners, properties and
their groups, and prints what it made of the answers as JSON: the same facts as clients.js.
"""

import json
import sys
from types import SimpleNamespace

import hubspot
from hubspot.crm import owners, properties
from hubspot.crm.objects import tasks

url, token = sys.argv[1:]
client = hubspot.Client.create(access_token=token, host=url)
facts = {}


def refusal(module, call):
    """The status of a refused call, and its body as the client's own type of error."""
    try:
        call()
    except module.ApiException as refused:
        body = SimpleNamespace(data=refused.body)
        error = module.ApiClient().deserialize(body, "Error")
        return [refused.status, error.category, error.correlation_id is not None]
    raise SystemExit("this call had to be refused")


def ids(answer):
    return [result.id for result in answer.results]


def names(answer):
    return [result.name for result in answer.results]


def failed(answer):
    return [type(answer).__name__, [error.category for error in answer.errors]]


basic, batch, search = (
    client.crm.objects.tasks.basic_api, client.crm.objects.tasks.batch_api, client.crm.objects.tasks.search_api
)
due = "2026-02-03T04:05:06Z"

new = basic.create({"properties": {"ticket": "10", "hs_timestamp": due}, "associations": []})
facts["create"] = new.properties["ticket"]
facts["create again"] = refusal(tasks, lambda: basic.create({"properties": {"ticket": "10", "hs_timestamp": due}}))
facts["update"] = basic.update(new.id, {"properties": {"hs_task_status": "WAITING"}}).properties["hs_task_status"]
facts["update wrong"] = refusal(tasks, lambda: basic.update(new.id, {"properties": {"hs_task_status": "DONE"}}))
facts["get"] = basic.get_by_id("10", id_property="ticket", properties=["hs_task_status"]).properties["hs_task_status"]
facts["get nobody"] = refusal(tasks, lambda: basic.get_by_id("404"))
page = basic.get_page(limit=2, properties=["ticket"])
facts["list"] = [ids(page), page.paging.next.after]
basic.archive(new.id)
facts["archived"] = basic.get_by_id(new.id, archived=True).archived


def row(id, **values):
    return {"id": id, "idProperty": "ticket", "properties": values}


created = batch.create({"inputs": [{"properties": {"ticket": "11", "hs_timestamp": due}, "associations": []}]})
facts["batch create"] = [created.status, created.results[0].properties["ticket"]]
facts["batch update"] = ids(batch.update({"inputs": [row("1", hs_task_subject="a"), row("2", hs_task_subject="b")]}))
part = batch.update({"inputs": [row("1", hs_task_subject="c"), row("404", hs_task_subject="d")]})
facts["batch update in part"] = [ids(part), failed(part), part.errors[0].context["ids"]]
wrong = {"inputs": [row("1", hs_task_subject="e"), row("2", hs_task_priority="TOP")]}
facts["batch update wrong"] = refusal(tasks, lambda: batch.update(wrong))
read = batch.read(
    {"inputs": [{"id": "1"}], "idProperty": "ticket", "properties": ["hs_task_subject"], "propertiesWithHistory": []}
)
facts["batch read"] = [result.properties["hs_task_subject"] for result in read.results]
upserted = batch.upsert({"inputs": [row("1", hs_task_subject="f"), row("12", hs_timestamp=due)]})
facts["batch upsert"] = [result.new for result in upserted.results]
traced = [
    {**row("1", hs_task_subject="g"), "objectWriteTraceId": "a"},
    {**row("2", hs_task_priority="TOP"), "objectWriteTraceId": "b"},
]
part = batch.upsert({"inputs": traced})
facts["batch upsert in part"] = [ids(part), failed(part), part.errors[0].context["objectWriteTraceId"]]
is_one = {"propertyName": "ticket", "operator": "EQ", "value": "1"}
found = search.do_search(
    {"filterGroups": [{"filters": [is_one]}], "limit": 1, "after": "0", "sorts": [], "properties": ["hs_task_subject"]}
)
facts["search"] = [found.total, found.results[0].properties["hs_task_subject"]]
batch.archive({"inputs": [{"id": created.results[0].id}]})
facts["batch archived"] = ids(basic.get_page(archived=True)) == sorted([new.id, created.results[0].id])

people = client.crm.owners.owners_api
facts["owners"] = [[owner.email, owner.user_id] for owner in people.get_page(limit=500).results]
facts["owners by e-mail"] = ids(people.get_page(email="ada@acme.example"))
facts["owners archived"] = [[owner.id, owner.archived] for owner in people.get_page(archived=True).results]
facts["owner by user"] = people.get_by_id(7001, id_property="userId").id
facts["owner of nobody"] = refusal(owners, lambda: people.get_by_id(404))

core, many, groups = (
    client.crm.properties.core_api, client.crm.properties.batch_api, client.crm.properties.groups_api
)


def definition(name):
    return {"name": name, "label": name, "type": "string", "fieldType": "text", "groupName": "tickets"}


facts["group"] = groups.create("tasks", {"name": "tickets", "label": "Tickets", "displayOrder": 1}).label
facts["group again"] = refusal(properties, lambda: groups.create("tasks", {"name": "tickets", "label": "Tickets"}))
facts["group update"] = groups.update("tasks", "tickets", {"label": "Other"}).label
facts["groups"] = names(groups.get_all("tasks"))
facts["property"] = core.create("tasks", {**definition("jira_key"), "hasUniqueValue": True}).has_unique_value
facts["property again"] = refusal(properties, lambda: core.create("tasks", definition("jira_key")))
facts["property update"] = core.update("tasks", "jira_key", {"label": "Jira"}).label
facts["properties"] = {"jira_key", "ticket", "hs_task_status"} <= set(names(core.get_all("tasks")))
facts["options"] = [option.value for option in core.get_by_name("tasks", "hs_task_priority").options]
part = many.create("tasks", {"inputs": [definition("one"), definition("jira_key")]})
facts["batch properties"] = [names(part), failed(part)]
asked = {"inputs": [{"name": "one"}], "archived": False, "dataSensitivity": "non_sensitive"}
facts["batch properties read"] = names(many.read("tasks", asked))
many.archive("tasks", {"inputs": [{"name": "one"}]})
core.archive("tasks", "jira_key")
facts["properties archived"] = names(core.get_all("tasks", archived=True))
facts["property gone"] = refusal(properties, lambda: core.get_by_name("tasks", "jira_key"))
groups.archive("tasks", "tickets")
facts["group gone"] = refusal(properties, lambda: groups.get_by_name("tasks", "tickets"))

print(json.dumps(facts))
