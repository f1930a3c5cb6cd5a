//! The results of cases as the XML of `JUnit`, which systems for continuous integration read.

use html_escape::{encode_double_quoted_attribute, encode_text};

/// The results of the cases of a source.
pub(super) struct Suite {
    pub(super) name: String,
    pub(super) cases: Vec<CaseResult>,
}

/// The result of a case.
pub(super) struct CaseResult {
    pub(super) name: String,
    /// Why it fails, if it does.
    pub(super) failure: Option<String>,
}

/// The suites as a document.
pub(super) fn to_xml(suites: &[Suite]) -> String {
    let mut parts = vec!["<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n".to_owned()];
    for Suite { name, cases } in suites {
        let (name, count) = (encode_double_quoted_attribute(name), cases.len());
        let failures = cases.iter().filter(|case| case.failure.is_some()).count();
        parts.push(format!(
            "  <testsuite name=\"{name}\" tests=\"{count}\" failures=\"{failures}\">\n"
        ));
        for case in cases {
            let own_name = encode_double_quoted_attribute(&case.name);
            parts.push(format!("    <testcase classname=\"{name}\" name=\"{own_name}\">"));
            parts.extend(case.failure.as_deref().map(failure));
            parts.push("</testcase>\n".to_owned());
        }
        parts.push("  </testsuite>\n".to_owned());
    }
    parts.push("</testsuites>\n".to_owned());
    parts.concat()
}

fn failure(why: &str) -> String {
    let text = without_controls(why);
    let message = encode_double_quoted_attribute(text.lines().next().unwrap_or_default());
    format!("<failure message=\"{message}\">{}</failure>", encode_text(&text))
}

/// The text without the characters that XML can't hold.
fn without_controls(text: &str) -> String {
    text.replace(|c: char| c.is_control() && !matches!(c, '\n' | '\t'), " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_something_in_xml_is_escaped() {
        let failure = Some("not \"<as>\" & expected\u{1b}\n-1\n+2".to_owned());
        let cases = vec![CaseResult { name: "a".to_owned(), failure }];
        let xml = to_xml(&[Suite { name: "de\"sk".to_owned(), cases }]);
        let case = "<testcase classname=\"de&quot;sk\" name=\"a\">\
                    <failure message=\"not &quot;&lt;as&gt;&quot; &amp; expected \">\
                    not \"&lt;as&gt;\" &amp; expected \n-1\n+2</failure></testcase>";
        assert!(xml.contains(case), "{xml}");
        assert!(
            xml.contains("<testsuite name=\"de&quot;sk\" tests=\"1\" failures=\"1\">"),
            "{xml}"
        );
    }
}
