//! JSON on several lines. Only white space is changed, so that no number and no key is another
//! afterwards. Pure.

/// Spreads JSON over lines, with two spaces for each level. Text that isn't JSON stays as it is.
pub(super) fn spread(text: &str) -> String {
    let is_json = serde_json::from_str::<&serde_json::value::RawValue>(text).is_ok();
    if !is_json || !text.trim_start().starts_with(['{', '[']) {
        return text.to_owned();
    }
    let mut spread = String::with_capacity(text.len() * 2);
    let mut depth = 0_usize;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' => {
                spread.push('"');
                while let Some(inside) = characters.next() {
                    spread.push(inside);
                    match inside {
                        '\\' => spread.extend(characters.next()),
                        '"' => break,
                        _ => {}
                    }
                }
            }
            '{' | '[' => {
                while characters.next_if(|c| c.is_ascii_whitespace()).is_some() {}
                spread.push(character);
                if let Some(end) = characters.next_if(|c| matches!(c, '}' | ']')) {
                    spread.push(end);
                } else {
                    depth += 1;
                    break_line(&mut spread, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                break_line(&mut spread, depth);
                spread.push(character);
            }
            ',' => {
                spread.push(',');
                break_line(&mut spread, depth);
            }
            ':' => spread.push_str(": "),
            space if space.is_ascii_whitespace() => {}
            other => spread.push(other),
        }
    }
    spread.push('\n');
    spread
}

fn break_line(text: &mut String, depth: usize) {
    text.push('\n');
    for _ in 0..depth {
        text.push_str("  ");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_white_space_is_changed() {
        let text =
            r#" {"a":12345678901234567890.10, "b" : [ ], "c":[1 ,{"d":"x, {\" y"}],"a":{}} "#;
        let expected = r#"{
  "a": 12345678901234567890.10,
  "b": [],
  "c": [
    1,
    {
      "d": "x, {\" y"
    }
  ],
  "a": {}
}
"#;
        assert_eq!(spread(text), expected);
        assert_eq!(spread(expected), expected);
        for text in ["payload=%7B", "", "{\"a\": ", "12"] {
            assert_eq!(spread(text), text);
        }
    }
}
