//! Names and texts as SQL writes them.

use crate::Failure;

/// Puts a session into the one mode that [`literal`] and [`identifier`] are written for, whatever the server's is.
pub(super) const MODE: &str = "SET SESSION sql_mode = '';\n";

/// Longest name of a user of MariaDB; MySQL says itself that its names are shorter.
const USER_LIMIT: usize = 128;

/// Longest name of a host.
const HOST_LIMIT: usize = 255;

/// Longest name of a database or a table, in characters.
const NAME_LIMIT: usize = 64;

/// A text as SQL writes it.
pub(super) fn literal(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('\'');
    for c in text.chars() {
        match c {
            '\'' => quoted.push_str("''"),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\0' => quoted.push_str("\\0"),
            '\u{1a}' => quoted.push_str("\\Z"),
            c => quoted.push(c),
        }
    }
    quoted.push('\'');
    quoted
}

/// A name as SQL writes it.
pub(super) fn identifier(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A database's name where SQL reads a pattern.
pub(super) fn pattern(name: &str) -> String {
    name.replace('\\', "\\\\").replace('_', "\\_").replace('%', "\\%")
}

/// A user with its host as SQL writes them.
pub(super) fn account(user: &str, host: &str) -> String {
    format!("{}@{}", literal(user), literal(host))
}

/// Refuses what cannot be a user at a host. The user without a name is anybody.
pub(super) fn check_account(user: &str, host: &str) -> Result<(), Failure> {
    let odd = |text: &str, limit: usize| text.len() > limit || text.contains(|c: char| c.is_control());
    if odd(user, USER_LIMIT) || odd(host, HOST_LIMIT) {
        return Err(Failure::new(format!(
            "`{}@{}` is no user: names have {USER_LIMIT} bytes at most, hosts {HOST_LIMIT}, and both no control characters",
            user.escape_debug(),
            host.escape_debug()
        )));
    }
    Ok(())
}

/// Refuses what cannot be the name of a database or a table.
pub(super) fn check_name(what: &str, name: &str) -> Result<(), Failure> {
    if name.is_empty() || name.chars().count() > NAME_LIMIT || name.contains(|c: char| c.is_control()) {
        return Err(Failure::new(format!(
            "`{}` is not the name of a {what}: those have 1 to {NAME_LIMIT} characters and no control characters",
            name.escape_debug()
        )));
    }
    Ok(())
}

/// Refuses what is no word of the kind that character sets, collations and plugins are named with.
pub(super) fn check_word(what: &str, word: &str) -> Result<(), Failure> {
    if word.is_empty() || !word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Err(Failure::new(format!(
            "`{}` is no {what}: those are letters, digits and `_`",
            word.escape_debug()
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_texts_stay_what_they_are() {
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal("a\\'; DROP\n\0\u{1a}"), r"'a\\''; DROP\n\0\Z'");
        assert_eq!(identifier("a`; DROP DATABASE `b"), "`a``; DROP DATABASE ``b`");
        assert_eq!(account("a'b", "%"), "'a''b'@'%'");
        assert_eq!(pattern(r"my_db%\"), r"my\_db\%\\");
    }

    #[test]
    fn what_is_no_name_is_refused() {
        assert!(check_account("", "%").is_ok() && check_account("a\nb", "%").is_err());
        assert!(check_name("database", "").is_err() && check_name("database", &"ü".repeat(65)).is_err());
        assert!(check_name("database", &"ü".repeat(64)).is_ok());
        assert!(check_word("plugin", "ed25519").is_ok() && check_word("plugin", "a b").is_err());
    }
}
