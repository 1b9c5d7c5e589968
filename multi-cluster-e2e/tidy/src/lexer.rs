//! Just enough of Rust's lexical rules to know what is code.

/// `source` with the inside of comments and of string and character literals replaced by spaces. Length in bytes and
/// line breaks are kept, so offsets and line numbers mean the same in both.
#[must_use]
pub fn code_of(source: &str) -> String {
    let mut scan = Scan { rest: source, code: String::with_capacity(source.len()), after_word: false };
    while let Some(next) = scan.rest.chars().next() {
        scan.step(next);
    }
    scan.code
}

struct Scan<'a> {
    rest: &'a str,
    code: String,
    /// Whether the last character kept belongs to a word: the `r` of `for"` opens no raw string.
    after_word: bool,
}

impl Scan<'_> {
    fn step(&mut self, next: char) {
        if self.rest.starts_with("//") {
            self.blank(self.rest.find('\n').unwrap_or(self.rest.len()));
        } else if self.rest.starts_with("/*") {
            self.blank(block_comment(self.rest));
        } else if let Some((open, length)) = string(self.rest, self.after_word) {
            self.keep(open);
            self.blank(length.saturating_sub(open + 1));
            self.keep(1);
        } else if let Some(length) = character(self.rest) {
            self.blank(length);
        } else {
            self.keep(next.len_utf8());
            self.after_word = next.is_alphanumeric() || next == '_';
            return;
        }
        self.after_word = false;
    }

    fn keep(&mut self, length: usize) {
        let (kept, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, ""));
        self.code.push_str(kept);
        self.rest = rest;
    }

    fn blank(&mut self, length: usize) {
        let (blanked, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, ""));
        self.code.extend(blanked.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }));
        self.rest = rest;
    }
}

/// Length of the block comment at the start; they nest.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// If a string literal of any kind starts here: the length of its opening up to the quote and hashes, and its whole
/// length. Behind a word there is no room for a prefix.
fn string(text: &str, after_word: bool) -> Option<(usize, usize)> {
    let prefixes: &[&str] = if after_word { &[""] } else { &["br", "cr", "b", "c", "r", ""] };
    let prefix = prefixes.iter().copied().find(|prefix| {
        text.strip_prefix(prefix)
            .is_some_and(|rest| rest.starts_with('"') || (prefix.ends_with('r') && raw(rest)))
    })?;
    let rest = text.get(prefix.len()..)?;
    if prefix.ends_with('r') {
        let hashes = rest.bytes().take_while(|byte| *byte == b'#').count();
        let open = prefix.len() + hashes + 1;
        let close = format!("\"{}", "#".repeat(hashes));
        let body = text.get(open..)?.find(&close).unwrap_or(text.len() - open);
        return Some((open, (open + body + close.len()).min(text.len())));
    }
    let open = prefix.len() + 1;
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(open) {
        match byte {
            b'"' if !escaped => return Some((open, at + 1)),
            b'\\' if !escaped => escaped = true,
            _ => escaped = false,
        }
    }
    Some((open, text.len()))
}

/// Whether this is the rest of a raw string's opening: hashes and a quote. `r#name` is an identifier.
fn raw(text: &str) -> bool {
    text.trim_start_matches('#').starts_with('"')
}

/// Length of the character literal at the start; a lifetime is none.
fn character(text: &str) -> Option<usize> {
    let inner = text.strip_prefix('\'')?;
    let first = inner.chars().next()?;
    if first == '\\' {
        // An escape has no quote inside but `\'` itself, which stands right behind the backslash.
        return inner.get(2..)?.find('\'').map(|close| close + 4);
    }
    inner.get(first.len_utf8()..)?.starts_with('\'').then(|| first.len_utf8() + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blanked_and_code_is_kept() {
        for (source, code) in [
            ("a // b\nc", "a     \nc"),
            ("a /* b /* c */ d */ e", "a                   e"),
            ("f(\"x\\\"y\") + 1", "f(\"    \") + 1"),
            ("r#\"say \"hi\"\"# ;", "r#\"          # ;"),
            ("b\"x\" c\"y\"", "b\" \" c\" \""),
            ("let q = '\"'; x", "let q =    ; x"),
            ("'\\'' y", "     y"),
            ("'\\u{1F600}' y", "            y"),
            ("fn f<'a>(x: &'a str)", "fn f<'a>(x: &'a str)"),
            ("r#type", "r#type"),
            ("for\"x\"", "for\" \""),
        ] {
            let seen = code_of(source);
            assert_eq!(seen.len(), source.len(), "{source}");
            assert_eq!(
                seen.split_whitespace().collect::<Vec<_>>(),
                code.split_whitespace().collect::<Vec<_>>(),
                "{source}"
            );
        }
    }

    #[test]
    fn length_and_lines_survive_any_input() {
        for source in
            ["\"unclosed", "/* unclosed ü", "'", "r##\"unclosed\"#", "\"ü\n\"", "'ü'", "b'\\xff'", "\\"]
        {
            let seen = code_of(source);
            assert_eq!(seen.len(), source.len(), "{source}");
            assert_eq!(seen.matches('\n').count(), source.matches('\n').count(), "{source}");
        }
    }
}
