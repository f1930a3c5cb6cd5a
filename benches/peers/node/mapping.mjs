// What a HubSpot task gets of a GitHub issue: the same as in sources/github.toml.

const STATUS = new Map([
  ["open", "NOT_STARTED"],
  ["reopened", "NOT_STARTED"],
  ["closed", "COMPLETED"],
  ["completed", "COMPLETED"],
  ["not_planned", "DEFERRED"],
  ["duplicate", "DEFERRED"],
  ["gone", "DEFERRED"],
]);
const PRIORITY = new Map([
  ["Urgent", "HIGH"],
  ["High", "HIGH"],
  ["Medium", "MEDIUM"],
  ["Low", "LOW"],
  ["P0", "HIGH"],
  ["P1", "HIGH"],
  ["P2", "MEDIUM"],
  ["P3", "LOW"],
  ["P4", "LOW"],
]);
// The longest text that a property of HubSpot holds, in units of UTF-16.
const LONGEST = 65_536;

export function isAboutAnIssue(payload) {
  return Boolean(payload.action && payload.issue && !("comment" in payload));
}

export function taskId(payload) {
  const { full_name: repository } = payload.repository;
  const { number } = payload.issue;
  if (repository === undefined || number === undefined) throw new TypeError("the issue has no address");
  return `${repository}#${number}`;
}

/** The task's new values. What the issue has empty is cleared (""); what the event doesn't mention is left alone. */
export function properties(payload) {
  const { action, issue } = payload;
  const isGone = action === "deleted" || action === "transferred";
  const values = {
    hs_task_type: "TODO",
    hs_task_subject: issue.title ?? undefined,
    hs_task_body: "body" in issue ? html([...(issue.body ?? "")].slice(0, 60_000).join("")) : undefined,
    hs_timestamp: dueDate(issue),
    hs_task_priority: priority(payload),
    hs_task_status: STATUS.get(isGone ? "gone" : (issue.state_reason ?? issue.state)),
  };
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}

/** The milestone's due date, "" if there is none, undefined if the event doesn't say. */
function dueDate(issue) {
  if (!("milestone" in issue)) return undefined;
  const milestone = issue.milestone ?? { due_on: null };
  if (!("due_on" in milestone)) return undefined;
  return milestone.due_on ? utc(milestone.due_on) : "";
}

/** By the issue field Priority, else by the first label P0 to P4; undefined if the event leaves it open. */
function priority({ action, issue, issue_field: changed, issue_field_value: change }) {
  const isChanged = changed?.name === "Priority";
  const fields = choiceFields(issue, changed);
  let value = fields.find(({ name }) => name === "Priority")?.value;
  if (isChanged) value = action === "field_removed" ? undefined : (value ?? change?.option?.name);
  if (value != null) return PRIORITY.get(value);
  if (!("labels" in issue)) return undefined;
  for (const { name } of (issue.labels ?? []).slice(0, 100)) {
    if (/^p[0-4]$/i.test(name)) return PRIORITY.get(name.toUpperCase());
  }
  // A field without a name may be the priority.
  return isChanged || fields.every(({ name }) => name) ? "NONE" : undefined;
}

/** Names and values of the issue's fields of one choice; there is no name where the event doesn't say it. */
function choiceFields(issue, changed) {
  const fields = [];
  for (const field of (issue.issue_field_values ?? []).slice(0, 50)) {
    const isChanged = field.issue_field_id === changed?.id;
    const name = field.issue_field_name ?? (isChanged ? changed?.name : undefined);
    if (name === "Priority" || field.data_type === "single_select") {
      fields.push({ name, value: field.single_select_option?.name ?? field.value });
    }
  }
  return fields;
}

/** Text as HTML that shows the same text, and that a property of HubSpot holds. */
function html(text) {
  const escaped = text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replace(/\r\n|\r|\n/g, "<br>");
  if (escaped.length <= LONGEST) return escaped;
  // Not within &amp;, <br> or a surrogate pair.
  return escaped.slice(0, LONGEST).replace(/(&[a-z]{0,3}|<(b|br)?|[\ud800-\udbff])$/, "");
}

/** A time of GitHub as HubSpot returns times. */
export function utc(text) {
  return new Date(text).toISOString();
}
