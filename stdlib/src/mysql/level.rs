//! What privileges are for: everything, a database, a table or a routine.

use super::quote::{check_name, identifier, pattern};
use crate::Failure;

/// The level of a privilege, as `GRANT … ON` has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Level {
    /// `FUNCTION`, `PROCEDURE`; a table if nothing is said.
    kind: Option<String>,
    /// The database, a pattern where it is about all of its tables. All of them if there is none.
    database: Option<String>,
    /// The table or routine; all of them if there is none.
    object: Option<String>,
}

/// One name, quoted or not, and what is behind it.
fn name(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('`') else {
        let end = text.find(['.', ' ']).unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        return (!name.is_empty() && !name.contains(['\'', '"', '`', '@'])).then(|| (name.to_owned(), rest));
    };
    let mut read = String::new();
    let mut signs = quoted.char_indices().peekable();
    while let Some((at, sign)) = signs.next() {
        if sign != '`' {
            read.push(sign);
        } else if signs.next_if(|(_, next)| *next == '`').is_some() {
            read.push('`');
        } else {
            return Some((read, quoted.get(at + 1..)?));
        }
    }
    None
}

fn kind(text: &str) -> (Option<String>, &str) {
    for kind in ["FUNCTION", "PROCEDURE", "PACKAGE BODY", "PACKAGE", "TABLE"] {
        let word = text.get(..kind.len()).filter(|word| word.eq_ignore_ascii_case(kind));
        if let Some(rest) = word.and_then(|_| text.get(kind.len()..)?.strip_prefix(' ')) {
            return ((kind != "TABLE").then(|| kind.to_owned()), rest.trim_start());
        }
    }
    (None, text)
}

impl Level {
    /// As the server writes it, or an author who quotes himself; with what is behind it.
    pub(super) fn read(text: &str) -> Option<(Self, &str)> {
        let (kind, text) = kind(text);
        let (database, rest) = name(text)?;
        let (object, rest) = name(rest.strip_prefix('.')?)?;
        let quoted = text.starts_with('`');
        let all = |name: String, quoted: bool| (quoted || name != "*").then_some(name);
        Some((Self { kind, database: all(database, quoted), object: all(object, false) }, rest))
    }

    /// As an author writes it: `shop.*`, `shop.orders`, `*.*`, `FUNCTION shop.total`.
    pub(super) fn of(text: &str, escape: bool) -> Result<Self, Failure> {
        let wrong = || {
            Failure::new(format!(
                "`{}` is nothing that privileges are for; write `shop.*` for a database, `shop.orders` for a table, `*.*` for all",
                text.escape_debug()
            ))
        };
        if !escape {
            return match Self::read(text.trim()) {
                Some((level, "")) => level.checked(),
                _ => Err(wrong()),
            };
        }
        let (kind, rest) = kind(text.trim());
        let (database, object) = rest.rsplit_once('.').ok_or_else(wrong)?;
        let plain = |name: &str| match self::name(name) {
            Some((inside, "")) if name.starts_with('`') => inside,
            _ => name.to_owned(),
        };
        let (database, object) = (plain(database), plain(object));
        if database.is_empty() || object.is_empty() || (database == "*" && object != "*") {
            return Err(wrong());
        }
        let all = object == "*";
        let database = (database != "*").then(|| if all { pattern(&database) } else { database });
        Self { kind, database, object: (!all).then_some(object) }.checked()
    }

    fn checked(self) -> Result<Self, Failure> {
        // A pattern is longer than the name it stands for.
        let plain = self.database.as_ref().map(|database| database.replace('\\', ""));
        plain.iter().try_for_each(|database| check_name("database", database))?;
        self.object.iter().try_for_each(|object| check_name("table", object))?;
        Ok(self)
    }

    /// Whether it is everything.
    pub(super) fn is_all(&self) -> bool {
        self.database.is_none()
    }

    /// As SQL has it.
    pub(super) fn sql(&self) -> String {
        let quoted = |name: &Option<String>| name.as_deref().map_or("*".to_owned(), identifier);
        let kind = self.kind.as_ref().map(|kind| format!("{kind} ")).unwrap_or_default();
        format!("{kind}{}.{}", quoted(&self.database), quoted(&self.object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_authors_write_it() {
        let sql = |text: &str, escape: bool| Level::of(text, escape).unwrap().sql();
        assert_eq!(sql("my_db.*", true), r"`my\_db`.*");
        assert_eq!(sql("my_db.orders_1", true), "`my_db`.`orders_1`");
        assert_eq!(sql("`my db`.*", true), "`my db`.*");
        assert_eq!(sql("a.b.*", true), "`a.b`.*");
        assert_eq!(sql("*.*", true), "*.*");
        assert_eq!(sql("function shop.total", true), "FUNCTION `shop`.`total`");
        assert_eq!(sql(r"`foo\_%`.*", false), r"`foo\_%`.*");
        assert_eq!(sql("foo%.*", false), "`foo%`.*");
        for odd in ["", "shop", "*.orders", "shop.", ".*"] {
            assert!(Level::of(odd, true).unwrap_err().message.contains("`shop.orders`"), "{odd}");
        }
        assert!(Level::of("a`.* TO x; --", false).is_err());
        assert_eq!(sql("a`.b` TO x", true), "`a```.`b`` TO x`");
    }

    #[test]
    fn as_the_server_writes_it() {
        let (level, rest) = Level::read(r"`my\_``db`.* TO `x`@`%`").unwrap();
        assert_eq!((level.sql(), rest), (r"`my\_``db`.*".to_owned(), " TO `x`@`%`"));
        let (level, _) = Level::read("PROCEDURE `a`.`b` TO x").unwrap();
        assert_eq!(level.sql(), "PROCEDURE `a`.`b`");
        assert!(Level::read("``@`%` TO `root`@`localhost`").is_none());
        assert!(Level::read("''@'%' TO 'root'@'localhost'").is_none());
    }
}
