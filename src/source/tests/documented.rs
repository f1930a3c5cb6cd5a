//! Every example of docs/expressions.md, run as a line of a source file.

use std::collections::BTreeMap;

use super::{Stage, file, problems, unverified, warnings};

const PAGE: &str = include_str!("../../../docs/expressions.md");

/// A row of a table: the number of its line, and its cells by the words at the head of their
/// columns.
struct Row {
    line: usize,
    cells: BTreeMap<String, String>,
}

impl Row {
    fn cell(&self, column: &str) -> Option<&str> {
        self.cells.get(column).map(String::as_str)
    }

    /// The code in a cell.
    fn code(&self, column: &str) -> Option<&str> {
        self.cell(column).map(|cell| cell.trim_start_matches('`').trim_end_matches('`'))
    }

    /// The body of the event.
    fn input(&self) -> &str {
        self.code("input").filter(|input| !input.is_empty()).unwrap_or("{}")
    }
}

/// The rows of all tables.
fn rows() -> Vec<Row> {
    let lines: Vec<_> = PAGE.lines().collect();
    let mut rows = Vec::new();
    let mut head = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        if !line.starts_with('|') {
            head.clear();
        } else if head.is_empty() {
            head = cells(line);
        } else if !line.starts_with("| --- |") {
            let cells = cells(line);
            assert_eq!(cells.len(), head.len(), "line {}: a cell too many or too few", at + 1);
            rows.push(Row { line: at + 1, cells: head.iter().cloned().zip(cells).collect() });
        }
    }
    rows
}

/// The cells of a row; `\|` is a bar within one.
fn cells(line: &str) -> Vec<String> {
    let hidden = line.trim_matches('|').replace("\\|", "\0");
    hidden.split('|').map(|cell| cell.trim().replace('\0', "|")).collect()
}

/// A source file with these lines, and the delivery that the page speaks of.
fn stage(lines: &str) -> Stage {
    Stage::of(&unverified(lines))
        .header("x-desk-event", "ticket.updated")
        .header("x-desk-signature", "s3cret")
        .query("team", "blue")
}

/// An expression as TOML, unless it is a table of steps.
fn toml(expression: &str) -> String {
    let has_steps = ["{ from = ", "{ owner = "].iter().any(|start| expression.starts_with(start));
    if has_steps { expression.to_owned() } else { format!("'''\n{expression}'''") }
}

/// What an update that is written `1: p=x` gives, in the words of the page.
fn words(update: &str) -> String {
    let value = update.split_once(": ").map_or("", |(_, value)| value);
    let value = value.trim_start_matches("p: ");
    match value.strip_prefix("p=") {
        _ if update.split(' ').nth(1) == Some("failed:") => format!("fails: {value}"),
        None => "left alone".to_owned(),
        Some("") => "cleared".to_owned(),
        Some(value) => match value.strip_prefix('<').and_then(|owner| owner.split_once(" or ")) {
            Some((email, rest)) if rest.ends_with('>') => format!("owner `{email}`"),
            _ => format!("`{}`", value.replace('\n', "⏎")),
        },
    }
}

/// What really comes of a row.
fn gives(row: &Row) -> String {
    if let Some(expression) = row.code("expression") {
        let each = row.code("each").unwrap_or(".");
        let task = format!("[task]\neach = {}\nid = '\"1\"'\nid_property = \"ticket\"", toml(each));
        let updates =
            stage(&format!("{task}\n[properties]\np = {}", toml(expression))).gives(row.input());
        if updates == ["filtered"] {
            return "filtered".to_owned();
        }
        updates.iter().map(|update| words(update)).collect::<Vec<_>>().join(" and ")
    } else if let Some(when) = row.code("when") {
        let task = "[task]\nid = '\"1\"'\nid_property = \"ticket\"";
        match stage(&format!("[event]\nwhen = {}\n{task}", toml(when)))
            .gives(row.input())
            .concat()
            .as_str()
        {
            "filtered" => "filtered".to_owned(),
            "1:" => "passes".to_owned(),
            failed => words(failed),
        }
    } else {
        let id = row.code("id").unwrap_or_default();
        let update = stage(&format!("[task]\nid = {}\nid_property = \"ticket\"", toml(id)))
            .gives(row.input())
            .concat();
        match update.strip_suffix(':') {
            Some(id) => format!("`{id}`"),
            None => words(&update).replace("[task] id: ", ""),
        }
    }
}

/// What `check` says of an expression.
fn check_says(expression: &str) -> String {
    let problems = problems(&unverified(&format!("[properties]\np = {}", toml(expression))));
    let without_place =
        |problem: &String| problem.split_once(": ").map_or("", |(_, message)| message).to_owned();
    problems.iter().map(without_place).collect::<Vec<_>>().join("; ")
}

/// Whether `check` warns of a row's expression, in the words of the page.
fn check_warns(row: &Row) -> &'static str {
    let lines = match (row.code("expression"), row.code("id")) {
        (Some(expression), _) => format!("[properties]\np = {}", toml(expression)),
        (None, Some(id)) => format!("[task]\nid = {}\nid_property = \"ticket\"", toml(id)),
        (None, None) => match row.code("when") {
            Some(when) => format!("[event]\nwhen = {}", toml(when)),
            None => return "",
        },
    };
    if warnings(file("desk", &unverified(&lines))).is_empty() { "" } else { "warns" }
}

#[test]
fn check_warns_of_the_examples_of_which_the_page_says_so_and_of_no_others() {
    for row in rows() {
        assert_eq!(check_warns(&row), row.cell("`check`").unwrap_or_default(), "line {}", row.line);
    }
}

#[test]
fn every_example_gives_what_the_page_says() {
    let mut wrong = Vec::new();
    let mut seen = BTreeMap::new();
    for row in rows() {
        let kinds = ["each", "expression", "when", "id", "not there"];
        let Some(kind) = kinds.into_iter().find(|kind| row.cell(kind).is_some()) else {
            assert!(
                row.cell("is").or(row.cell("at most")).is_some(),
                "line {}: no test knows this table",
                row.line
            );
            continue;
        };
        *seen.entry(kind).or_insert(0) += 1;
        let (said, found) = match row.cell("`check` says") {
            Some(said) => (said, check_says(row.code("not there").unwrap_or_default())),
            None => (row.cell("gives").unwrap_or_default(), gives(&row)),
        };
        if let Some(instead) = row.code("instead") {
            assert_eq!(check_says(instead), "", "line {}", row.line);
        }
        // The page may leave out the end of a long message.
        let is_right = said == found || said.starts_with("fails") && found.starts_with(said);
        if !is_right {
            wrong.push(format!("line {}: {said:?} is said, {found:?} comes of it", row.line));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(seen.len(), 5, "tables of {seen:?}");
    assert!(seen.values().sum::<usize>() > 100, "{seen:?}");
}
