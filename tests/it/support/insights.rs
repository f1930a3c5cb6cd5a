//! What CloudWatch Logs Insights finds in log lines: the part of its query language that the
//! queries of `template.yaml` use. Anything else is an error, and so a failed test.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax.html>

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

/// The commands and functions of the language, which are no names for columns here.
const RESERVED: &[&str] = &[
    "and", "as", "asc", "avg", "bin", "by", "count", "dedup", "desc", "display", "earliest",
    "fields", "filter", "in", "latest", "like", "limit", "max", "median", "min", "not", "or",
    "parse", "pattern", "pct", "sort", "stats", "stddev", "sum",
];

/// The rows that a query returns at most.
const MOST_ROWS: usize = 10_000;

/// A query that has been read.
pub struct Query {
    /// The log groups that the query of a dashboard names.
    pub sources: Vec<String>,
    commands: Vec<Command>,
}

/// A row of a result: a field that a line lacks is not in it.
pub type Row = BTreeMap<String, Value>;

enum Command {
    Fields(Vec<String>),
    Filter(Condition),
    Stats { columns: Vec<(Function, String)>, by: Vec<Key> },
    Sort { field: String, is_descending: bool },
    Limit(usize),
}

enum Condition {
    Is(String, String),
    IsNot(String, String),
    IsPresent(String),
    All(Vec<Condition>),
    Any(Vec<Condition>),
}

enum Function {
    Count,
    /// The field's value in the latest line.
    Latest(String),
    Max(String),
    Percentile(String, usize),
}

/// What rows are grouped by.
enum Key {
    Field(String),
    /// So many minutes, which an hour is a multiple of.
    Bin(usize),
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Sign(char),
}

type Read<T> = Result<T, String>;

/// The tokens that are not read yet, the next one last.
struct Reader(Vec<Token>);

impl Query {
    /// Reads a query, which may have lines of comments.
    pub fn read(text: &str) -> Read<Self> {
        let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
        let mut tokens = tokens(&lines.collect::<Vec<_>>().join("\n"))?;
        tokens.reverse();
        let mut reader = Reader(tokens);
        let mut query = Self { sources: Vec::new(), commands: Vec::new() };
        loop {
            let name = reader.word()?;
            if name == "SOURCE" && query.commands.is_empty() {
                query.sources.push(reader.text()?);
            } else {
                query.commands.push(reader.command(&name)?);
            }
            if reader.0.is_empty() {
                query.check_names()?;
                return Ok(query);
            }
            reader.sign('|')?;
        }
    }

    /// The fields of the lines that the query names, but for those that CloudWatch adds.
    pub fn fields(&self) -> BTreeSet<&str> {
        let mut fields = BTreeSet::new();
        let mut columns = BTreeSet::new();
        for command in &self.commands {
            match command {
                Command::Fields(names) => fields.extend(names.iter().map(String::as_str)),
                Command::Filter(condition) => condition.name_fields(&mut fields),
                Command::Stats { columns: of_stats, by } => {
                    for (function, column) in of_stats {
                        fields.extend(function.field());
                        columns.insert(column.as_str());
                    }
                    fields.extend(by.iter().filter_map(Key::field));
                }
                Command::Sort { field, .. } if !columns.contains(field.as_str()) => {
                    fields.insert(field);
                }
                Command::Sort { .. } | Command::Limit(_) => {}
            }
        }
        fields.remove("@timestamp");
        fields
    }

    /// After `stats` there are its columns and nothing else.
    fn check_names(&self) -> Read<()> {
        let mut columns: Option<BTreeSet<String>> = None;
        for command in &self.commands {
            match (command, &columns) {
                (Command::Stats { columns: of_stats, by }, None) => {
                    let names = of_stats.iter().map(|(_, column)| column.clone());
                    columns = Some(names.chain(by.iter().map(Key::column)).collect());
                }
                (Command::Sort { field, .. }, Some(columns)) if !columns.contains(field) => {
                    return Err(format!("`stats` has no column {field}"));
                }
                (Command::Sort { .. } | Command::Limit(_), Some(_)) | (_, None) => {}
                (_, Some(_)) => return Err("a command that is not known after `stats`".to_owned()),
            }
        }
        Ok(())
    }

    /// What the query finds in lines, in its order.
    pub fn run(&self, lines: &[Value]) -> Vec<Row> {
        let mut rows: Vec<Row> = lines.iter().map(as_row).collect();
        let mut shown: Option<&Vec<String>> = None;
        let mut most = MOST_ROWS;
        for command in &self.commands {
            match command {
                Command::Fields(names) => shown = Some(names),
                Command::Filter(condition) => rows.retain(|row| condition.holds(row)),
                Command::Stats { columns, by } => rows = stats(&rows, columns, by),
                Command::Sort { field, is_descending } => rows.sort_by(|one, other| {
                    let order = compare(one.get(field), other.get(field));
                    if *is_descending { order.reverse() } else { order }
                }),
                Command::Limit(rows) => most = *rows,
            }
        }
        rows.truncate(most);
        if let Some(names) = shown {
            for row in &mut rows {
                row.retain(|name, _| names.contains(name));
            }
        }
        rows
    }
}

impl Reader {
    fn next(&mut self) -> Read<Token> {
        self.0.pop().ok_or_else(|| "the query ends too early".to_owned())
    }

    fn word(&mut self) -> Read<String> {
        match self.next()? {
            Token::Word(word) => Ok(word),
            other => Err(format!("{other:?} where a word has to be")),
        }
    }

    fn text(&mut self) -> Read<String> {
        match self.next()? {
            Token::Text(text) => Ok(text),
            other => Err(format!("{other:?} where a text has to be")),
        }
    }

    fn number(&mut self) -> Read<usize> {
        let word = self.word()?;
        word.parse().map_err(|_| format!("{word} is no number"))
    }

    /// A field or a column, such as `@timestamp`.
    fn name(&mut self) -> Read<String> {
        let word = self.word()?;
        let begins_right = word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '@');
        if begins_right && !RESERVED.contains(&word.to_lowercase().as_str()) {
            Ok(word)
        } else {
            Err(format!("{word} is no name"))
        }
    }

    fn sign(&mut self, sign: char) -> Read<()> {
        match self.next()? {
            Token::Sign(found) if found == sign => Ok(()),
            other => Err(format!("{other:?} where {sign} has to be")),
        }
    }

    /// Reads on if this comes next.
    fn takes(&mut self, token: &Token) -> bool {
        let is_next = self.0.last() == Some(token);
        if is_next {
            self.0.pop();
        }
        is_next
    }

    fn takes_word(&mut self, word: &str) -> bool {
        self.takes(&Token::Word(word.to_owned()))
    }

    /// One or more, with commas.
    fn list<T>(&mut self, read: impl Fn(&mut Self) -> Read<T>) -> Read<Vec<T>> {
        let mut items = vec![read(self)?];
        while self.takes(&Token::Sign(',')) {
            items.push(read(self)?);
        }
        Ok(items)
    }

    fn command(&mut self, name: &str) -> Read<Command> {
        match name {
            "fields" => Ok(Command::Fields(self.list(Self::name)?)),
            "filter" => Ok(Command::Filter(self.any()?)),
            "stats" => {
                let columns = self.list(Self::column)?;
                let by = if self.takes_word("by") { self.list(Self::key)? } else { Vec::new() };
                Ok(Command::Stats { columns, by })
            }
            "sort" => {
                let field = self.name()?;
                match self.word()?.as_str() {
                    "asc" => Ok(Command::Sort { field, is_descending: false }),
                    "desc" => Ok(Command::Sort { field, is_descending: true }),
                    other => Err(format!("sort {field} {other}")),
                }
            }
            "limit" => match self.number()? {
                rows @ 1..=MOST_ROWS => Ok(Command::Limit(rows)),
                rows => Err(format!("limit {rows}")),
            },
            other => Err(format!("the command {other} is not known here")),
        }
    }

    fn any(&mut self) -> Read<Condition> {
        let mut conditions = vec![self.all()?];
        while self.takes_word("or") {
            conditions.push(self.all()?);
        }
        Ok(Condition::Any(conditions))
    }

    fn all(&mut self) -> Read<Condition> {
        let mut conditions = vec![self.condition()?];
        while self.takes_word("and") {
            conditions.push(self.condition()?);
        }
        Ok(Condition::All(conditions))
    }

    fn condition(&mut self) -> Read<Condition> {
        if self.takes(&Token::Sign('(')) {
            let inside = self.any()?;
            self.sign(')')?;
            return Ok(inside);
        }
        let name = self.name()?;
        if self.takes(&Token::Sign('=')) {
            return Ok(Condition::Is(name, self.text()?));
        }
        if self.takes(&Token::Sign('!')) {
            self.sign('=')?;
            return Ok(Condition::IsNot(name, self.text()?));
        }
        if name != "ispresent" {
            return Err(format!("{name} is compared by what is not known here"));
        }
        self.sign('(')?;
        let field = self.name()?;
        self.sign(')')?;
        Ok(Condition::IsPresent(field))
    }

    /// A function and the column that gets its result.
    fn column(&mut self) -> Read<(Function, String)> {
        let name = self.word()?;
        self.sign('(')?;
        let function = match name.as_str() {
            "count" => {
                self.sign('*')?;
                Function::Count
            }
            "latest" => Function::Latest(self.name()?),
            "max" => Function::Max(self.name()?),
            "pct" => {
                let field = self.name()?;
                self.sign(',')?;
                match self.number()? {
                    percent @ 1..=100 => Function::Percentile(field, percent),
                    percent => return Err(format!("pct({field}, {percent})")),
                }
            }
            other => return Err(format!("the function {other} is not known here")),
        };
        self.sign(')')?;
        if self.takes_word("as") {
            Ok((function, self.name()?))
        } else {
            Err(format!("{name} has no name"))
        }
    }

    fn key(&mut self) -> Read<Key> {
        if !self.takes_word("bin") {
            return Ok(Key::Field(self.name()?));
        }
        self.sign('(')?;
        let period = self.word()?;
        self.sign(')')?;
        let minutes = period.strip_suffix('m').and_then(|minutes| minutes.parse().ok());
        match minutes {
            Some(minutes @ 1..=60) if 60 % minutes == 0 => Ok(Key::Bin(minutes)),
            _ => Err(format!("bin({period})")),
        }
    }
}

impl Condition {
    fn holds(&self, row: &Row) -> bool {
        // A number that is compared with a text would have to be converted: no query does that.
        let text = |field: &String| row.get(field).map(|value| value.as_str().expect("a text"));
        match self {
            Self::Is(field, expected) => text(field) == Some(expected),
            // What a line without the field is, is not documented.
            Self::IsNot(field, other) => text(field).expect("a field of every line") != other,
            Self::IsPresent(field) => row.contains_key(field),
            Self::All(conditions) => conditions.iter().all(|condition| condition.holds(row)),
            Self::Any(conditions) => conditions.iter().any(|condition| condition.holds(row)),
        }
    }

    fn name_fields<'q>(&'q self, fields: &mut BTreeSet<&'q str>) {
        match self {
            Self::Is(field, _) | Self::IsNot(field, _) | Self::IsPresent(field) => {
                fields.insert(field);
            }
            Self::All(conditions) | Self::Any(conditions) => {
                for condition in conditions {
                    condition.name_fields(fields);
                }
            }
        }
    }
}

impl Function {
    fn field(&self) -> Option<&str> {
        match self {
            Self::Count => None,
            Self::Latest(field) | Self::Max(field) | Self::Percentile(field, _) => Some(field),
        }
    }

    /// The result over the rows of a group, if they have one.
    fn of(&self, rows: &[&Row]) -> Option<Value> {
        let sorted = |field: &String| {
            let mut values: Vec<_> = rows.iter().filter_map(|row| row.get(field)).collect();
            values.sort_by(|one, other| compare(Some(one), Some(other)));
            values
        };
        match self {
            Self::Count => Some(json!(rows.len())),
            Self::Latest(field) => {
                let by_time = |one: &&&Row, other: &&&Row| {
                    compare(one.get("@timestamp"), other.get("@timestamp"))
                };
                rows.iter().max_by(by_time)?.get(field).cloned()
            }
            Self::Max(field) => sorted(field).last().map(|value| (*value).clone()),
            Self::Percentile(field, percent) => {
                let values = sorted(field);
                let rank = (values.len() * percent).div_ceil(100);
                values.get(rank.checked_sub(1)?).map(|value| (*value).clone())
            }
        }
    }
}

impl Key {
    fn field(&self) -> Option<&str> {
        match self {
            Self::Field(field) => Some(field),
            Self::Bin(_) => None,
        }
    }

    fn column(&self) -> String {
        match self {
            Self::Field(field) => field.clone(),
            Self::Bin(minutes) => format!("bin({minutes}m)"),
        }
    }

    fn of(&self, row: &Row) -> Option<Value> {
        match self {
            Self::Field(field) => row.get(field).cloned(),
            Self::Bin(minutes) => {
                // Such as 2026-11-27T18:07:00Z.
                let time = row["@timestamp"].as_str().expect("a time");
                let minute: usize = time[14..16].parse().expect("a minute");
                Some(json!(format!("{}{:02}", &time[..14], minute - minute % minutes)))
            }
        }
    }
}

/// A row for each group, in no order that means anything.
fn stats(rows: &[Row], columns: &[(Function, String)], by: &[Key]) -> Vec<Row> {
    let mut groups: BTreeMap<String, Vec<&Row>> = BTreeMap::new();
    for row in rows {
        let key: Vec<_> = by.iter().map(|key| key.of(row)).collect();
        groups.entry(json!(key).to_string()).or_default().push(row);
    }
    let mut results = Vec::new();
    for rows in groups.values() {
        let keys = by.iter().map(|key| (key.column(), key.of(rows[0])));
        let values = columns.iter().map(|(function, column)| (column.clone(), function.of(rows)));
        let cells = keys.chain(values).filter_map(|(name, value)| Some((name, value?)));
        results.push(cells.collect());
    }
    results
}

/// A line's fields, as CloudWatch finds them in JSON, and the time.
fn as_row(line: &Value) -> Row {
    let fields = line.as_object().expect("a line is an object").iter();
    let mut row: Row = fields.map(|(name, value)| (name.clone(), value.clone())).collect();
    row.insert("@timestamp".to_owned(), line["timestamp"].clone());
    row
}

/// Numbers by size, texts by their letters; a value that is not there before all.
fn compare(one: Option<&Value>, other: Option<&Value>) -> Ordering {
    match (one, other) {
        (Some(Value::Number(one)), Some(Value::Number(other))) => {
            one.as_f64().expect("a number").total_cmp(&other.as_f64().expect("a number"))
        }
        (Some(Value::String(one)), Some(Value::String(other))) => one.cmp(other),
        (Some(one), Some(other)) => panic!("{one} can't be compared with {other}"),
        (one, other) => one.is_some().cmp(&other.is_some()),
    }
}

/// Words of letters, digits, `@` and `.`: a name with anything else would have to stand in
/// backticks. Texts in either quotation marks, without escapes.
fn tokens(text: &str) -> Read<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '@' || c == '.';
        let length = match first {
            '"' | '\'' => {
                let (inside, _) =
                    rest[1..].split_once(first).ok_or_else(|| format!("{rest} doesn't end"))?;
                if inside.contains(['\\', '\n']) {
                    return Err(format!("{inside:?} has an escape"));
                }
                tokens.push(Token::Text(inside.to_owned()));
                inside.len() + 2
            }
            '|' | ',' | '(' | ')' | '!' | '=' | '*' => {
                tokens.push(Token::Sign(first));
                1
            }
            _ => {
                let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
                if length == 0 {
                    return Err(format!("{first} is not known here"));
                }
                tokens.push(Token::Word(rest[..length].to_owned()));
                length
            }
        };
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}
