//! Text from peers for the log: in one line, and of bounded length.

use std::borrow::Cow;
use std::fmt;

/// The first `max` characters of a text, followed by dots if that is not the whole text.
pub(crate) fn shortened(text: &str, max: usize) -> Cow<'_, str> {
    if text.len() <= max {
        return text.into();
    }
    match text.char_indices().nth(max) {
        Some((end, _)) => format!("{}..", &text[..end]).into(),
        None => text.into(),
    }
}

/// How many characters of a value that a client has sent are logged.
pub(crate) const LONGEST_VALUE: usize = 200;

/// Displays text with escaped control characters, so that text from a peer cannot look like another log line.
pub(crate) struct OneLine<T>(pub(crate) T);

impl<T: fmt::Display> fmt::Display for OneLine<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.to_string().chars() {
            if is_break(character) { write!(f, "{}", character.escape_default())? } else { write!(f, "{character}")? }
        }
        Ok(())
    }
}

/// Whether the character ends a line, or changes how later characters are displayed.
fn is_break(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_at_a_character() {
        for (text, shown) in [("", ""), ("abc", "abc"), ("abcd", "abc.."), ("äöü", "äöü"), ("äöüß", "äöü..")]
        {
            assert_eq!(shortened(text, 3), shown, "{text}");
        }
    }

    #[test]
    fn a_text_stays_in_its_line() {
        let text = "a\r\nERROR forged \u{1b}[31m\u{2028}\u{202e}\u{85} grün";
        assert_eq!(OneLine(text).to_string(), "a\\r\\nERROR forged \\u{1b}[31m\\u{2028}\\u{202e}\\u{85} grün");
    }
}
