//! Atlassian Document Format as text: nodes with a `type`, and `text`, `attrs` or more nodes as
//! `content`. <https://developer.atlassian.com/cloud/jira/platform/apis/document/structure/>

use jaq_json::Val;

use super::value::string_or_number;
use crate::time::Time;

/// The text between the cells of a table's row.
const BETWEEN_CELLS: &str = " | ";

/// Whether the value is a node of rich text.
pub(super) fn is_rich_text(value: &Val) -> bool {
    field(value, "content").is_some()
}

/// The text that a document shows, without empty lines.
pub(super) fn to_text(document: &Val) -> String {
    let mut page = Page::default();
    page.write_node(document);
    page.into_lines().join("\n")
}

#[derive(Default)]
struct Page {
    lines: Vec<Line>,
}

#[derive(Default)]
struct Line {
    text: String,
    /// Nothing stands on it yet but the mark of a list's item.
    is_bare: bool,
    /// A line of code, whose white space counts.
    is_code: bool,
}

impl Page {
    fn write_node(&mut self, node: &Val) {
        match word(field(node, "type")).as_str() {
            "doc" => self.write_children(node),
            "text" => self.write_words(&word(field(node, "text"))),
            "hardBreak" => self.break_line(),
            "mention" | "status" | "placeholder" | "inlineExtension" => {
                self.write_words(&attribute(node, "text"));
            }
            "emoji" => match attribute(node, "text") {
                text if text.is_empty() => self.write_words(&attribute(node, "shortName")),
                text => self.write_words(&text),
            },
            "date" => self.write_words(&date(&attribute(node, "timestamp"))),
            "inlineCard" => self.write_words(&attribute(node, "url")),
            "blockCard" | "embedCard" => {
                self.write_block(|page| page.write_words(&attribute(node, "url")));
            }
            "mediaInline" => {}
            "codeBlock" => self.write_code(node),
            "tableRow" => self.write_row(node),
            "listItem" | "taskItem" => {
                self.start_line(Line { text: "- ".to_owned(), is_bare: true, is_code: false });
                self.write_children(node);
                self.start_line(Line::default());
            }
            "expand" | "nestedExpand" => {
                self.write_block(|page| page.write_words(&attribute(node, "title")));
                self.write_block(|page| page.write_children(node));
            }
            _ => self.write_block(|page| page.write_children(node)),
        }
    }

    fn write_children(&mut self, node: &Val) {
        for child in children(node) {
            self.write_node(child);
        }
    }

    /// Writes content on lines of its own.
    fn write_block(&mut self, content: impl FnOnce(&mut Self)) {
        self.break_line();
        content(self);
        self.break_line();
    }

    /// Goes to the next line, unless the mark of an item still waits for its words.
    fn break_line(&mut self) {
        if self.lines.last().is_none_or(|line| !line.is_bare) {
            self.start_line(Line::default());
        }
    }

    /// Starts a line, in place of an empty one.
    fn start_line(&mut self, line: Line) {
        match self.lines.last_mut() {
            Some(last) if last.text.is_empty() && !last.is_code => *last = line,
            _ => self.lines.push(line),
        }
    }

    fn write_words(&mut self, text: &str) {
        for (index, part) in text.split('\n').enumerate() {
            if index > 0 || self.lines.last().is_none_or(|line| line.is_code) {
                self.start_line(Line::default());
            }
            if let Some(line) = self.lines.last_mut() {
                line.text.push_str(part);
                line.is_bare &= part.is_empty();
            }
        }
    }

    /// Code keeps its indentation and its empty lines.
    fn write_code(&mut self, node: &Val) {
        let mut code = String::new();
        for child in children(node) {
            code.push_str(&word(field(child, "text")));
        }
        for line in code.trim_end_matches(['\r', '\n']).lines() {
            self.lines.push(Line { text: line.to_owned(), is_bare: false, is_code: true });
        }
    }

    /// A row of a table is one line, whatever its cells hold.
    fn write_row(&mut self, node: &Val) {
        let mut cells = Vec::new();
        for cell in children(node) {
            let mut page = Self::default();
            page.write_children(cell);
            let lines: Vec<_> =
                page.into_lines().iter().map(|line| line.trim().to_owned()).collect();
            cells.push(lines.join(" "));
        }
        if cells.iter().any(|cell| !cell.is_empty()) {
            self.write_block(|page| page.write_words(&cells.join(BETWEEN_CELLS)));
        }
    }

    fn into_lines(self) -> Vec<String> {
        let mut finished = Vec::new();
        for line in self.lines {
            let text =
                if line.is_code { line.text.as_str() } else { line.text.trim_matches([' ', '\t']) };
            if line.is_code || !(text.is_empty() || line.is_bare) {
                finished.push(text.to_owned());
            }
        }
        finished
    }
}

fn field<'v>(node: &'v Val, name: &str) -> Option<&'v Val> {
    let Val::Obj(object) = node else { return None };
    object.get(&Val::from(name.to_owned()))
}

fn children(node: &Val) -> &[Val] {
    match field(node, "content") {
        Some(Val::Arr(nodes)) => nodes,
        _ => &[],
    }
}

fn attribute(node: &Val, name: &str) -> String {
    word(field(node, "attrs").and_then(|attributes| field(attributes, name)))
}

fn word(value: Option<&Val>) -> String {
    value.and_then(string_or_number).unwrap_or_default()
}

/// The day of a date, which is kept as milliseconds of its midnight in UTC.
fn date(milliseconds: &str) -> String {
    let Ok(number) = milliseconds.parse() else { return milliseconds.to_owned() };
    match Time::from_milliseconds(number).to_string().split_once('T') {
        Some((day, _)) => day.to_owned(),
        None => milliseconds.to_owned(),
    }
}
