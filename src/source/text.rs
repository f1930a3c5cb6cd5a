//! Text and HTML: HubSpot's `hs_task_body` is HTML, tickets hold either.

/// At most the first `length` characters.
pub(super) fn cut(text: &str, length: usize) -> &str {
    text.char_indices().nth(length).map_or(text, |(end, _)| &text[..end])
}

/// Text as HTML that shows the same text: `&`, `<` and `>` escaped, line breaks as `<br>`.
pub(super) fn to_html(text: &str) -> String {
    let mut html = String::with_capacity(text.len() + text.len() / 8);
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '\r' if characters.peek() == Some(&'\n') => {}
            '\r' | '\n' => html.push_str("<br>"),
            other => html.push(other),
        }
    }
    html
}

/// HTML as the text that it shows; text without any tag keeps its line breaks.
pub(super) fn from_html(html: &str) -> String {
    if !html.match_indices('<').any(|(at, _)| tag(&html[at..]).is_some()) {
        return html_escape::decode_html_entities(html).into_owned();
    }
    let mut text = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(at) = rest.find('<') {
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
            "br" | "p" | "/p" | "div" | "/div" | "/li" | "tr" | "/tr" | "ul" | "/ul" | "ol" | "/ol" | "table"
            | "hr" | "/table" | "blockquote" | "/blockquote" | "pre" | "/pre" | "h1" | "/h1" | "h2" | "/h2" | "h3"
            | "/h3" | "h4" | "/h4" | "h5" | "/h5" | "h6" | "/h6" => text.push('\n'),
            "td" | "th" => text.push(' '),
            hidden @ ("script" | "style" | "head") => {
                let end = format!("</{hidden}");
                let length = rest.to_ascii_lowercase().find(&end).unwrap_or(rest.len());
                rest = &rest[length..];
            }
            _ => {}
        }
    }
    push_words(&mut text, rest);
    tidy(&html_escape::decode_html_entities(&text))
}

/// Without white space at the ends of lines, and without empty lines.
pub(super) fn tidy(text: &str) -> String {
    let lines = text.lines().map(|line| line.trim_matches([' ', '\t'])).filter(|line| !line.is_empty() && *line != "-");
    lines.collect::<Vec<_>>().join("\n")
}

/// The name of the tag (with its `/`) or comment at the start of the text, and how many bytes it takes.
fn tag(text: &str) -> Option<(&str, usize)> {
    if text.starts_with("<!--") {
        return Some(("!--", text.find("-->").map_or(text.len(), |end| end + 3)));
    }
    let end = text.find('>')?;
    let inside = text.get(1..end)?;
    let name = inside.split([' ', '\t', '\r', '\n']).next()?;
    let name = if name.len() > 1 { name.trim_end_matches('/') } else { name };
    let first = name.strip_prefix(['/', '!']).unwrap_or(name).chars().next()?;
    first.is_ascii_alphabetic().then_some((name, end + 1))
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
    fn text_becomes_html() {
        assert_eq!(to_html("a\r\nb\rc\nd & <e>"), "a<br>b<br>c<br>d &amp; &lt;e&gt;");
        assert_eq!(cut("äöü", 2), "äö");
        assert_eq!(cut("äöü", 9), "äöü");
    }
}
