//! `[task.associate]`

use crate::source::jq::Code;
use crate::source::spec::property::property_name;
use crate::source::table::{self, Placed, Table, TextOrTable};
use crate::update::{EMAIL, Missing, Object, When};

/// What the task is to hang on.
pub(crate) struct AssociateSpec {
    /// Where the section stands.
    pub(crate) start: usize,
    /// In the order of the file, without those that can't be read.
    pub(crate) links: Vec<LinkSpec>,
    pub(crate) when: Option<Placed<When>>,
    pub(crate) missing: Option<Placed<Missing>>,
}

/// The records of one kind.
pub(crate) struct LinkSpec {
    pub(crate) to: Object,
    /// The property with unique values by which they are found.
    pub(crate) by: Placed<String>,
    /// The values of that property.
    pub(crate) from: Placed<Code>,
}

/// Reads the section.
pub(super) fn read(mut table: Table<'_>) -> AssociateSpec {
    let start = table.start;
    if !Object::ALL.iter().any(|object| table.has(object.as_str())) {
        table.problem(
            "[task.associate] names nothing that the task is to hang on; write `contact`, \
             `company`, `deal` or `ticket`",
        );
    }
    let mut links = Vec::new();
    for to in Object::ALL {
        links.extend(read_link(&mut table, to));
    }
    links.sort_by_key(|link| link.from.start);
    let when = table.choice("when", &[("create", When::Create), ("always", When::Always)]);
    let missing = table.choice("missing", &[("skip", Missing::Skip), ("fail", Missing::Fail)]);
    table.finish();
    AssociateSpec { start, links, when, missing }
}

/// Reads the key of a kind. A contact is found by e-mail unless the file names another property.
fn read_link(table: &mut Table<'_>, to: Object) -> Option<LinkSpec> {
    let name = to.as_str();
    match table.text_or_table(name)? {
        TextOrTable::Text(text) if to == Object::Contact => {
            let by = Placed { value: EMAIL.to_owned(), start: text.start };
            Some(LinkSpec { to, by, from: table::code(&text) })
        }
        TextOrTable::Text(text) => {
            let message = format!(
                "`{name}` of [task.associate] has to say by which property it is found: write \
                 {{ by = \"the_property\", from = '{}' }}",
                text.value.trim()
            );
            table.problem_at(text.start, message);
            None
        }
        TextOrTable::Table(link) => read_by(link, to),
        TextOrTable::Other(Placed { value: kind, start }) => {
            let message = format!(
                "`{name}` of [task.associate] has to be {}a table with `by` and `from`, not {kind}",
                if to == Object::Contact { "a jq expression in quotes or " } else { "" }
            );
            table.problem_at(start, message);
            None
        }
    }
}

/// Reads `{ by = "...", from = '...' }`.
fn read_by(mut link: Table<'_>, to: Object) -> Option<LinkSpec> {
    link.require("by", "a property with unique values, or \"hs_object_id\" for the record id");
    link.require("from", "an expression that gives its value");
    let by = link.parse("by", property_name);
    let from = link.code("from");
    link.finish();
    Some(LinkSpec { to, by: by?, from: from? })
}
