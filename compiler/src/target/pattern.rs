//! The patterns of a target: what each form matches, and how it is written.

use super::Glob;
use fancy_regex::Regex;
use ipnet::IpNet;
use std::fmt;

/// The forms a target can take alone.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Form {
    /// The full language.
    Compound,
    /// Glob on the id.
    Glob,
    /// `E@`: PCRE on the id.
    Pcre,
    /// `L@`: list of ids.
    List,
    /// `G@`: fact or grain.
    Fact,
    /// `P@`: PCRE on a fact.
    FactPcre,
    /// `I@`: settings value.
    Setting,
    /// `J@`: PCRE on a settings value.
    SettingPcre,
    /// `S@`: subnet or address.
    Subnet,
    /// `N@`: nodegroup.
    Nodegroup,
}

impl Form {
    /// The form's letter before `@`.
    pub fn of_letter(letter: char) -> Option<Self> {
        Some(match letter {
            'E' => Form::Pcre,
            'L' => Form::List,
            'G' => Form::Fact,
            'P' => Form::FactPcre,
            'I' => Form::Setting,
            'J' => Form::SettingPcre,
            'S' => Form::Subnet,
            'N' => Form::Nodegroup,
            _ => return None,
        })
    }

    /// The form of Salt's word for it in a top file's `- match: word`.
    pub fn of_word(word: &str) -> Option<Self> {
        Some(match word {
            "compound" => Form::Compound,
            "glob" => Form::Glob,
            "pcre" => Form::Pcre,
            "list" => Form::List,
            "grain" | "fact" => Form::Fact,
            "grain_pcre" | "fact_pcre" => Form::FactPcre,
            "pillar" | "settings" | "pillar_exact" => Form::Setting,
            "pillar_pcre" | "settings_pcre" => Form::SettingPcre,
            "ipcidr" | "subnet" => Form::Subnet,
            "nodegroup" => Form::Nodegroup,
            _ => return None,
        })
    }

    /// The words [`Form::of_word`] knows, for near misses.
    pub const WORDS: &'static [&'static str] = &[
        "compound",
        "glob",
        "pcre",
        "list",
        "grain",
        "fact",
        "grain_pcre",
        "fact_pcre",
        "pillar",
        "settings",
        "pillar_pcre",
        "settings_pcre",
        "ipcidr",
        "subnet",
        "nodegroup",
    ];

    /// `G@` and its kin; empty for globs and the full language.
    pub fn prefix(self) -> &'static str {
        match self {
            Form::Compound | Form::Glob => "",
            Form::Pcre => "E@",
            Form::List => "L@",
            Form::Fact => "G@",
            Form::FactPcre => "P@",
            Form::Setting => "I@",
            Form::SettingPcre => "J@",
            Form::Subnet => "S@",
            Form::Nodegroup => "N@",
        }
    }

    /// Whether its text is a regular expression, in which parentheses are its own.
    pub(super) fn is_regex(self) -> bool {
        matches!(self, Form::Pcre | Form::FactPcre | Form::SettingPcre)
    }
}

/// One pattern.
#[derive(Clone, Debug)]
pub enum Pattern {
    /// Glob on the id.
    Glob(Glob),
    /// PCRE on the id, anchored at its start as in Salt.
    Pcre(Box<Regexp>),
    /// Exact ids.
    List(Vec<String>),
    /// A fact or grain; a [`Condition`] for each way to split the text at a colon.
    Fact(Vec<Condition>),
    /// A settings value; likewise.
    Setting(Vec<Condition>),
    /// A network that holds one of the peel's addresses.
    Subnet(IpNet),
    /// A nodegroup's name.
    Nodegroup(String),
}

/// A compiled regular expression with its text.
#[derive(Clone, Debug)]
pub struct Regexp {
    pub(super) source: String,
    pub(super) regex: Regex,
}

/// A path with what its value must be.
#[derive(Clone, Debug)]
pub struct Condition {
    /// The path's keys, split at colons; a key may hold dots that nest.
    pub path: Vec<String>,
    /// What the value must be.
    pub comparison: Comparison,
}

/// What a value must be.
#[derive(Clone, Debug)]
pub enum Comparison {
    /// Matches a glob, in any case; of a list, one of its items; of a map, one of its keys.
    Equal(Glob),
    /// Exists and does not.
    NotEqual(Glob),
    /// `<`, `<=`, `>`, `>=`: numbers as numbers, texts by their runs of digits.
    Ordered(Order, String),
    /// Matches a regular expression from its start, in any case.
    Pcre(Box<Regexp>),
}

/// The four orders.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

impl Pattern {
    /// The form it is written in.
    pub fn form(&self) -> Form {
        let regex =
            |conditions: &[Condition]| conditions.iter().any(|c| matches!(c.comparison, Comparison::Pcre(_)));
        match self {
            Pattern::Glob(_) => Form::Glob,
            Pattern::Pcre(_) => Form::Pcre,
            Pattern::List(_) => Form::List,
            Pattern::Fact(c) if regex(c) => Form::FactPcre,
            Pattern::Fact(_) => Form::Fact,
            Pattern::Setting(c) if regex(c) => Form::SettingPcre,
            Pattern::Setting(_) => Form::Setting,
            Pattern::Subnet(_) => Form::Subnet,
            Pattern::Nodegroup(_) => Form::Nodegroup,
        }
    }

    fn text(&self) -> String {
        match self {
            Pattern::Glob(glob) => glob.source().to_owned(),
            Pattern::Pcre(regexp) => regexp.source.clone(),
            Pattern::List(ids) => ids.join(","),
            // The first condition has the shortest path, so the rest of the text is whole in it.
            Pattern::Fact(conditions) | Pattern::Setting(conditions) => {
                conditions.first().map(ToString::to_string).unwrap_or_default()
            }
            Pattern::Subnet(net) if net.prefix_len() == net.max_prefix_len() => net.addr().to_string(),
            Pattern::Subnet(net) => net.to_string(),
            Pattern::Nodegroup(name) => name.clone(),
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.path.join(":"))?;
        match &self.comparison {
            Comparison::Equal(glob) if starts_with_operator(glob.source()) => write!(f, "=={glob}"),
            Comparison::Equal(glob) => write!(f, "{glob}"),
            Comparison::NotEqual(glob) => write!(f, "!={glob}"),
            Comparison::Ordered(order, value) => write!(f, "{}{value}", order.symbol()),
            Comparison::Pcre(regexp) => f.write_str(&regexp.source),
        }
    }
}

pub(super) fn starts_with_operator(text: &str) -> bool {
    text.starts_with(['=', '<', '>']) || text.starts_with("!=")
}

impl Order {
    /// As written.
    pub fn symbol(self) -> &'static str {
        match self {
            Order::Less => "<",
            Order::LessOrEqual => "<=",
            Order::Greater => ">",
            Order::GreaterOrEqual => ">=",
        }
    }
}

/// With its prefix, quoted where a plain word would end too early.
impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = self.text();
        let prefix = self.form().prefix();
        // A glob that begins as another form does: its first letter as a class of one is only itself.
        if prefix.is_empty()
            && text.as_bytes().get(1) == Some(&b'@')
            && text.as_bytes()[0].is_ascii_alphabetic()
        {
            text = format!("[{}]{}", &text[..1], &text[1..]);
        }
        let keyword = matches!(text.to_ascii_lowercase().as_str(), "and" | "or" | "not") && prefix.is_empty();
        let as_fact = prefix.is_empty() && text.contains(':');
        let plain = !text.is_empty()
            && !text.contains(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | '"' | '\''))
            && !as_fact
            && !keyword;
        if plain {
            return write!(f, "{prefix}{text}");
        }
        write!(f, "{prefix}\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
    }
}
