//! Reading a Corefile as far as needed: its tokens, the keys of its server blocks, and where our block is.
//!
//! The grammar is that of CoreDNS's `caddyfile` lexer: tokens are separated by white space; one that begins with `"` ends
//! at the next `"` that no `\` precedes; `#` where a token would begin starts a comment; `{` and `}` count as braces only
//! where they are tokens of their own.

use super::block::ZONE;
use super::edit::{BEGIN, CorefileError, END};

/// A word of a Corefile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    /// Unquoted.
    pub(super) text: String,
    /// From 1.
    pub(super) line: usize,
    /// How many braces are open around it; a brace itself counts as outside of what it opens or closes.
    pub(super) depth: usize,
}

/// Every token.
pub(super) fn tokens(corefile: &str) -> Result<Vec<Token>, CorefileError> {
    let mut tokens = Vec::new();
    let (mut line, mut depth) = (1_usize, 0_usize);
    let mut chars = corefile.strip_prefix('\u{feff}').unwrap_or(corefile).chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '\n' => line += 1,
            char if char.is_whitespace() => {}
            '#' => while chars.next_if(|char| *char != '\n').is_some() {},
            _ => {
                let (start, quoted) = (line, char == '"');
                let mut text = String::new();
                if quoted {
                    let mut escaped = false;
                    loop {
                        let char = chars.next().ok_or(CorefileError::OpenQuote { line: start })?;
                        line += usize::from(char == '\n');
                        match char {
                            '"' if !escaped => break,
                            '\\' if !escaped => escaped = true,
                            char => {
                                text.push(char);
                                escaped = false;
                            }
                        }
                    }
                } else {
                    text.push(char);
                    while let Some(char) = chars.next_if(|char| !char.is_whitespace()) {
                        text.push(char);
                    }
                }
                if !quoted && text == "}" {
                    depth = depth.checked_sub(1).ok_or(CorefileError::Braces { line })?;
                }
                tokens.push(Token { text, line: start, depth });
                if !quoted && tokens.last().is_some_and(|token| token.text == "{") {
                    depth += 1;
                }
            }
        }
    }
    if depth > 0 {
        return Err(CorefileError::Braces { line });
    }
    Ok(tokens)
}

/// The bytes of our block, its markers included, up to and with the end of the line of the last.
pub(super) fn marked(corefile: &str) -> Result<Option<std::ops::Range<usize>>, CorefileError> {
    let mut begun: Option<(usize, usize)> = None;
    let mut found = None;
    let mut offset = 0;
    for (index, text) in corefile.split_inclusive('\n').enumerate() {
        let (line, word) = (index + 1, text.trim());
        if word.starts_with(BEGIN) {
            if begun.is_some() || found.is_some() {
                return Err(CorefileError::Markers { line });
            }
            begun = Some((offset, line));
        } else if word.starts_with(END) {
            let (start, _) = begun.take().ok_or(CorefileError::Markers { line })?;
            found = Some(start..offset + text.len());
        }
        offset += text.len();
    }
    match begun {
        Some((_, line)) => Err(CorefileError::Markers { line }),
        None => Ok(found),
    }
}

/// The line of somebody else's mention of our zone, which is a server block or a plugin for it.
pub(super) fn mention(tokens: &[Token]) -> Option<&Token> {
    tokens.iter().find(|token| {
        let name = zone(&token.text);
        name == ZONE || name.strip_suffix(ZONE).is_some_and(|rest| rest.ends_with('.'))
    })
}

/// Whether the braces of its server blocks are there: one single block may go without.
pub(super) fn has_blocks(tokens: &[Token]) -> bool {
    tokens.is_empty() || tokens.iter().any(|token| token.text == "{" && token.depth == 0)
}

/// Whether CoreDNS takes up a changed Corefile by itself.
#[must_use]
pub fn has_reload(corefile: &str) -> bool {
    tokens(corefile).is_ok_and(|tokens| {
        let mut lines = tokens.chunk_by(|one, other| one.line == other.line);
        lines.any(|line| line.first().is_some_and(|first| first.text == "reload" && first.depth == 1))
    })
}

/// The port of the server block for all names, which is where pods ask; 53 if it says none.
#[must_use]
pub fn port(corefile: &str) -> u16 {
    let tokens = tokens(corefile).unwrap_or_default();
    let keys = tokens.iter().filter(|token| token.depth == 0);
    keys.filter_map(|key| {
        let (_, key) = key.text.split_once("://").unwrap_or(("", &key.text));
        key.trim_end_matches(',').strip_prefix(".:")?.parse().ok()
    })
    .next()
    .unwrap_or(53)
}

/// `dns://Clusterset.Local.:53,` is `clusterset.local`.
fn zone(key: &str) -> String {
    let key = key.trim_end_matches(',');
    let key = key.split_once("://").map_or(key, |(_, rest)| rest);
    let key = match key.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => key,
    };
    key.trim_end_matches('.').to_ascii_lowercase()
}
