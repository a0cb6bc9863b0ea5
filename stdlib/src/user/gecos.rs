//! The GECOS field of a user: full name, room, phones and anything else, joined by commas.

/// Its five parts.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Gecos {
    /// `fullname`, `roomnumber`, `workphone`, `homephone`, `other`.
    pub parts: [String; 5],
}

impl Gecos {
    /// Names of the parts, as parameters and changes call them.
    pub(crate) const NAMES: [&str; 5] = ["fullname", "roomnumber", "workphone", "homephone", "other"];

    /// Splits the field; `other` keeps further commas.
    pub(crate) fn parse(text: &str) -> Self {
        let mut parts = text.splitn(5, ',').map(str::to_owned);
        Self { parts: std::array::from_fn(|_| parts.next().unwrap_or_default()) }
    }
}

impl std::fmt::Display for Gecos {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.parts.join(",").trim_end_matches(','))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip() {
        for text in ["", "Alice", "Alice,12", "A,,1,2,x,y"] {
            assert_eq!(Gecos::parse(text).to_string(), text);
        }
        assert_eq!(Gecos::parse("Alice,,5").parts, ["Alice", "", "5", "", ""]);
    }
}
