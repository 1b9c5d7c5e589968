//! Putting the block into a Corefile and taking it out. Nothing outside of the markers changes, to the byte:
//! `without_block(with_block(text))` is `text`.

use super::corefile::{has_blocks, marked, mention, tokens};

/// How the line before our block begins.
pub(super) const BEGIN: &str = "# BEGIN isthmus";
/// How the line after our block begins.
pub(super) const END: &str = "# END isthmus";
const BEGIN_LINE: &str =
    "# BEGIN isthmus: names of the other clusters, kept by isthmus-agent; edit outside of these lines";

/// A Corefile that must be looked at by a person. Every message says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CorefileError {
    /// A quote is never closed.
    #[error("line {line}: the quote that begins here never ends; correct the Corefile first")]
    OpenQuote {
        /// From 1.
        line: usize,
    },
    /// More or fewer `{` than `}`.
    #[error("line {line}: the braces do not match; correct the Corefile first")]
    Braces {
        /// From 1.
        line: usize,
    },
    /// A single server block without braces: nothing can stand beside it.
    #[error(
        "the Corefile is one server block without braces, beside which there can be no other; \
         write it as `. {{ ... }}` first"
    )]
    NoBraces,
    /// Our markers are not a pair.
    #[error(
        "line {line}: the lines `{BEGIN} ...` and `{END}` must be there once each and in this order; \
         delete the stray one, and what was between them, and run this again"
    )]
    Markers {
        /// From 1.
        line: usize,
    },
    /// Somebody else serves our zone.
    #[error(
        "line {line}: {word:?} serves clusterset.local already, and not by isthmus; \
         remove that stanza if these names should come from isthmus, or leave CoreDNS as it is"
    )]
    Taken {
        /// From 1.
        line: usize,
        /// What it says.
        word: String,
    },
}

/// The Corefile with `block` in it, between markers: in place of the one that is there, else at the end. Lines end as the
/// Corefile's own do.
///
/// # Errors
/// [`CorefileError`] where a person must decide; also when CoreDNS could not read the result.
pub fn with_block(corefile: &str, block: &str) -> Result<String, CorefileError> {
    let place = marked(corefile)?;
    let others = without_block(corefile)?;
    let tokens = tokens(&others)?;
    if let Some(token) = mention(&tokens) {
        // Lines of the text without our block are those of the text with it, as far as they stand before it.
        let before =
            place.as_ref().map_or(0, |place| corefile.get(..place.start).unwrap_or("").lines().count());
        let ours =
            place.as_ref().map_or(0, |place| corefile.get(place.clone()).unwrap_or("").lines().count());
        let line = if token.line > before { token.line + ours } else { token.line };
        return Err(CorefileError::Taken { line, word: token.text.clone() });
    }
    if !has_blocks(&tokens) {
        return Err(CorefileError::NoBraces);
    }
    let end = if corefile.lines().next().is_some() && corefile.contains("\r\n") { "\r\n" } else { "\n" };
    let mut lines = vec![BEGIN_LINE];
    lines.extend(block.trim_end().lines());
    lines.push(END);
    let marked = lines.join(end);
    Ok(match place {
        Some(place) => {
            let (before, held) = (corefile.get(..place.start), corefile.get(place.clone()));
            let last = held.is_some_and(|held| !held.ends_with('\n'));
            let after = corefile.get(place.end..).unwrap_or("");
            format!("{}{marked}{}{after}", before.unwrap_or(""), if last { "" } else { end })
        }
        // Without a newline at its end the Corefile gets none after our block either; so `without_block` knows that the
        // one before the block is ours.
        None if corefile.is_empty() || corefile.ends_with('\n') => format!("{corefile}{marked}{end}"),
        None => format!("{corefile}{end}{marked}"),
    })
}

/// The Corefile without our block; as it is where there is none.
///
/// # Errors
/// [`CorefileError::Markers`] where it cannot be told what is ours.
pub fn without_block(corefile: &str) -> Result<String, CorefileError> {
    let Some(place) = marked(corefile)? else { return Ok(corefile.to_owned()) };
    let mut before = corefile.get(..place.start).unwrap_or("");
    let after = corefile.get(place.end..).unwrap_or("");
    let held = corefile.get(place).unwrap_or("");
    if after.is_empty() && !held.ends_with('\n') {
        before = before.strip_suffix('\n').unwrap_or(before);
        before = before.strip_suffix('\r').unwrap_or(before);
    }
    Ok(format!("{before}{after}"))
}
