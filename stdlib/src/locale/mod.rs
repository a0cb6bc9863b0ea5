//! `locale.*`: languages and their encodings.

mod present;
mod system;

use crate::Library;
pub(crate) use system::current;

/// Adds the functions of this module.
pub(crate) fn register(library: &mut Library) {
    library.state::<present::Present>().state::<system::System>();
}

/// A locale's name, by its parts: `de_AT.UTF-8@euro`.
#[derive(Clone, PartialEq, Debug)]
struct Name<'a> {
    language: &'a str,
    charset: Option<&'a str>,
    modifier: Option<&'a str>,
}

impl<'a> Name<'a> {
    fn parse(text: &'a str) -> Result<Self, String> {
        let odd = |c: char| !(c.is_ascii_alphanumeric() || "_.@-".contains(c));
        if text.is_empty() || text.contains(odd) || text.starts_with(['-', '.', '@']) {
            return Err(format!(
                "`{}` is not the name of a locale such as `de_DE.UTF-8`",
                text.escape_debug()
            ));
        }
        let (rest, modifier) = match text.split_once('@') {
            Some((rest, modifier)) => (rest, Some(modifier)),
            None => (text, None),
        };
        let (language, charset) = match rest.split_once('.') {
            Some((language, charset)) => (language, Some(charset)),
            None => (rest, None),
        };
        Ok(Self { language, charset, modifier })
    }

    /// Two spellings of one locale have the same: `locale -a` says `de_DE.utf8` for `de_DE.UTF-8`.
    fn normal(&self) -> String {
        let charset = self.charset.unwrap_or_default().to_ascii_lowercase().replace(['-', '_'], "");
        format!("{}.{charset}@{}", self.language, self.modifier.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings() {
        let same = |a, b| Name::parse(a).unwrap().normal() == Name::parse(b).unwrap().normal();
        assert!(same("de_DE.UTF-8", "de_DE.utf8") && same("de_AT.UTF-8@euro", "de_AT.utf8@euro"));
        assert!(!same("de_DE.UTF-8", "de_DE") && !same("de_DE.UTF-8", "de_AT.UTF-8"));
        assert!(Name::parse("x; rm").is_err() && Name::parse("-v").is_err());
    }
}
