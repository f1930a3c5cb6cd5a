//! Text and HTML: HubSpot's `hs_task_body` is HTML, tickets hold either.

/// The longest text that a property of HubSpot holds, in units of UTF-16, as Java counts.
pub(crate) const LONGEST: usize = 65_536;

/// How long a text is for HubSpot: a character beyond U+FFFF, as most emoji are, counts twice.
pub(crate) fn utf16_units(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// Text as HTML that shows the same text: `&`, `<` and `>` escaped, line breaks as `<br>`. It ends
/// before the first character that would make it longer than a property holds.
pub(crate) fn to_html(text: &str) -> String {
    let mut html = String::with_capacity(text.len().min(LONGEST) + text.len().min(LONGEST) / 8);
    let mut room = LONGEST;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let mut buffer = [0; 4];
        let piece = match character {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            '\r' if characters.peek() == Some(&'\n') => "",
            '\r' | '\n' => "<br>",
            other => other.encode_utf8(&mut buffer),
        };
        let Some(rest) = room.checked_sub(utf16_units(piece)) else { break };
        room = rest;
        html.push_str(piece);
    }
    html
}

/// HTML as the text that it shows; text without any tag keeps its line breaks.
pub(crate) fn from_html(html: &str) -> String {
    // Behind the last `>` no tag begins. Without this bound each of a million `<` would look
    // through the whole rest.
    let length_behind_tags = match html.rfind('>') {
        Some(last) => html.len() - last,
        None => html.len(),
    };
    let length_with_tags = |rest: &str| rest.len().saturating_sub(length_behind_tags);
    let mut places = html[..length_with_tags(html)].match_indices('<');
    if !places.any(|(at, _)| tag(&html[at..]).is_some()) {
        return html_escape::decode_html_entities(html).into_owned();
    }
    let mut text = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(at) = find(&rest[..length_with_tags(rest)], "<") {
        push_words(&mut text, &rest[..at]);
        rest = &rest[at..];
        let Some((name, length)) = tag(rest) else {
            text.push('<');
            rest = &rest[1..];
            continue;
        };
        rest = &rest[length..];
        match name.to_ascii_lowercase().as_str() {
            "li" => text.push_str("\n- "),
            "br" | "p" | "/p" | "div" | "/div" | "/li" | "tr" | "/tr" | "ul" | "/ul" | "ol"
            | "/ol" | "table" | "hr" | "/table" | "blockquote" | "/blockquote" | "pre" | "/pre"
            | "h1" | "/h1" | "h2" | "/h2" | "h3" | "/h3" | "h4" | "/h4" | "h5" | "/h5" | "h6"
            | "/h6" => text.push('\n'),
            "td" | "th" => text.push(' '),
            hidden @ ("script" | "style" | "head") => rest = &rest[end_tag(rest, hidden)..],
            _ => {}
        }
    }
    push_words(&mut text, rest);
    tidy(&html_escape::decode_html_entities(&text))
}

/// Without white space at the ends of lines, and without empty lines.
pub(crate) fn tidy(text: &str) -> String {
    let mut lines = Vec::new();
    for line in text.lines() {
        let trimmed = line.trim_matches([' ', '\t']);
        if !trimmed.is_empty() && trimmed != "-" {
            lines.push(trimmed);
        }
    }
    lines.join("\n")
}

/// The name of the tag (with its `/`) or comment at the start of the text, and how many bytes it
/// takes.
fn tag(text: &str) -> Option<(&str, usize)> {
    if text.starts_with("<!--") {
        let length = match find(text, "-->") {
            Some(end) => end + 3,
            None => text.len(),
        };
        return Some(("!--", length));
    }
    let behind_bracket = text.get(1..)?;
    let first = behind_bracket.strip_prefix(['/', '!']).unwrap_or(behind_bracket);
    if !first.starts_with(|first: char| first.is_ascii_alphabetic()) {
        return None;
    }
    let inside = &behind_bracket[..find(behind_bracket, ">")?];
    let name = inside.split([' ', '\t', '\r', '\n']).next()?.trim_end_matches('/');
    Some((name, inside.len() + 2))
}

/// Where the end tag of an element that is not shown begins.
fn end_tag(text: &str, name: &str) -> usize {
    let mut passed = 0;
    while let Some(ahead) = find(&text[passed..], "</") {
        let at = passed + ahead;
        let found = text.get(at + 2..at + 2 + name.len()).unwrap_or_default();
        if found.eq_ignore_ascii_case(name) {
            return at;
        }
        passed = at + 2;
    }
    text.len()
}

/// Where a part begins. Tests count the bytes that are looked at.
fn find(text: &str, part: &str) -> Option<usize> {
    let found = text.find(part);
    #[cfg(test)]
    tests::LOOKED_AT.set(tests::LOOKED_AT.get() + found.unwrap_or(text.len()));
    found
}

/// In HTML any run of white space is one space.
fn push_words(text: &mut String, words: &str) {
    for character in words.chars() {
        if !matches!(character, ' ' | '\t' | '\r' | '\n') {
            text.push(character);
        } else if !text.ends_with([' ', '\n']) {
            text.push(' ');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    thread_local! {
        /// The bytes that [`find`] passed over.
        pub(crate) static LOOKED_AT: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
    }

    #[test]
    fn html_becomes_the_text_that_it_shows() {
        for (html, text) in [
            ("a\nb", "a\nb"),
            ("5 < 6 &amp; 7 > 3", "5 < 6 & 7 > 3"),
            ("<p>One\n two</p>\n<p>three</p>", "One two\nthree"),
            ("a<br>b<br/>c<BR />d", "a\nb\nc\nd"),
            ("<ul><li>x</li><li>y</li></ul>z", "- x\n- y\nz"),
            ("<style>p { color: red }</style>hi<!-- <b> -->!", "hi!"),
            ("<script>alert(1)", ""),
            ("<p>&lt;b&gt;</p>", "<b>"),
            ("<p>1 < 2</p>", "1 < 2"),
            ("<a href='https://x.example/?a=1&amp;b=2'>link</a>", "link"),
            ("<p>open", "open"),
            ("<", "<"),
            ("<é>", "<é>"),
        ] {
            assert_eq!(from_html(html), text, "{html}");
        }
    }

    #[test]
    fn broken_html_is_read_in_one_pass() {
        for part in
            ["<", "<a", "< ", "<p>", "<!--", "</", "<script></script>", "<script></a", "<style>"]
        {
            for end in ["", ">", "<p>"] {
                let html = format!("<p>{}{end}", part.repeat(10_000));
                LOOKED_AT.set(0);
                assert!(from_html(&html).len() <= html.len());
                // Once to find out whether there are tags, once for the tags, and once between
                // them.
                assert!(
                    LOOKED_AT.get() <= 3 * html.len(),
                    "{part:?}, {end:?}: {} of {}",
                    LOOKED_AT.get(),
                    html.len()
                );
            }
        }
    }

    #[test]
    fn text_becomes_html() {
        assert_eq!(to_html("a\r\nb\rc\nd & <e>"), "a<br>b<br>c<br>d &amp; &lt;e&gt;");
    }

    #[test]
    fn html_ends_before_what_would_make_it_longer_than_a_property_holds() {
        for (unit, html, length) in [
            ("a", "a", LONGEST),
            ("<b>1</b>\n", "&lt;b&gt;1&lt;/b&gt;<br>", LONGEST),
            ("&", "&amp;", 65_535),
            ("\n", "<br>", LONGEST),
            ("ä", "ä", LONGEST),
            // Two units each.
            ("😀", "😀", LONGEST),
            ("😀a", "😀a", 65_535),
        ] {
            let made = to_html(&unit.repeat(LONGEST));
            assert_eq!(utf16_units(&made), length, "{unit:?}");
            assert!(html.repeat(LONGEST).starts_with(&made), "{unit:?}");
            let ends_within =
                |part: &str| made.rfind(part) > made.rfind(if part == "&" { ';' } else { '>' });
            assert!(!ends_within("&") && !ends_within("<"), "{unit:?}");
        }
    }
}
