//! `iptables.append`, `iptables.insert` and `iptables.delete`

use super::{
    filter::{Filter, Save},
    rule,
};
use crate::{Changes, Context, Failure, Outcome, Plan, State, change};
use zester_compiler::types::{Map, Value};
use zester_stdlib_derive::Arguments;

/// A rule stands in a chain; a new one at its end.
///
/// All other parameters are the rule: the long names of the options of `iptables` without dashes. `connstate`, `dports` and `sports`, `comment`
/// bring the match that they need. A value with `!` before it is turned around.
///
/// ```yaml
/// web:
///   iptables.append:
///     - chain: INPUT
///     - proto: tcp
///     - dports: [80, 443]
///     - connstate: NEW
///     - jump: ACCEPT
///     - save: true
/// ```
#[derive(Arguments)]
#[state("iptables.append")]
pub(crate) struct Append {
    /// A name for the state.
    #[arg(primary)]
    name: String,
    /// The table.
    #[arg(default = "filter")]
    table: String,
    /// The chain.
    chain: String,
    /// `ipv4` or `ipv6`.
    #[arg(default = "ipv4", one_of("ipv4", "ipv6"))]
    family: String,
    /// Whether the rules are kept for the next boot; a path says where.
    #[arg(ty = Type::Bool.or(Type::Path))]
    save: Option<Value>,
    /// The rule.
    #[arg(rest)]
    rule: Map,
}

/// A rule stands in a chain; a new one at a position of it.
///
/// ```yaml
/// drop-first:
///   iptables.insert:
///     - chain: INPUT
///     - position: 1
///     - source: 203.0.113.0/24
///     - jump: DROP
/// ```
#[derive(Arguments)]
#[state("iptables.insert")]
pub(crate) struct Insert {
    /// A name for the state.
    #[arg(primary)]
    name: String,
    /// The table.
    #[arg(default = "filter")]
    table: String,
    /// The chain.
    chain: String,
    /// `ipv4` or `ipv6`.
    #[arg(default = "ipv4", one_of("ipv4", "ipv6"))]
    family: String,
    /// Where a new rule is put: 1 is the beginning, -1 the end.
    #[arg(default = 1_i64)]
    position: i64,
    /// Whether the rules are kept for the next boot; a path says where.
    #[arg(ty = Type::Bool.or(Type::Path))]
    save: Option<Value>,
    /// The rule.
    #[arg(rest)]
    rule: Map,
}

/// A rule does not stand in a chain.
///
/// ```yaml
/// no-telnet:
///   iptables.delete:
///     - chain: INPUT
///     - proto: tcp
///     - dport: 23
///     - jump: ACCEPT
/// ```
#[derive(Arguments)]
#[state("iptables.delete")]
pub(crate) struct Delete {
    /// A name for the state.
    #[arg(primary)]
    name: String,
    /// The table.
    #[arg(default = "filter")]
    table: String,
    /// The chain.
    chain: String,
    /// `ipv4` or `ipv6`.
    #[arg(default = "ipv4", one_of("ipv4", "ipv6"))]
    family: String,
    /// Refused: a position names another rule after each change.
    position: Option<i64>,
    /// Whether the rules are kept for the next boot; a path says where.
    #[arg(ty = Type::Bool.or(Type::Path))]
    save: Option<Value>,
    /// The rule.
    #[arg(rest)]
    rule: Map,
}

/// What the three have in common.
struct Rule<'a> {
    name: &'a str,
    table: &'a str,
    chain: &'a str,
    family: &'a str,
    save: Option<&'a Value>,
    given: &'a Map,
    verb: &'static str,
    position: Option<i64>,
}

impl Rule<'_> {
    fn plan<'p>(self, cx: &Context) -> Result<Plan<'p>, Failure> {
        let filter = Filter::of(cx, self.family, self.table, Some(self.chain))?;
        let words = rule::words(self.given)?;
        if words.is_empty() {
            return Err(Failure::new(format!(
                "`{}` has no rule: give what it matches and a `jump`",
                self.name
            )));
        }
        let shown = format!("-A {} {}", self.chain, words.join(" "));
        let has = filter.has(cx, self.chain, &words)?;
        let wanted = self.verb != "-D";
        let mut changes = Changes::new();
        if has != wanted {
            let (old, new) = if wanted { (None, Some(shown.as_str())) } else { (Some(shown.as_str()), None) };
            changes.insert("rule".to_owned(), change(old, new));
        }
        let save = Save::of(cx, &filter, self.save)?;
        save.note(cx, &mut changes)?;
        if changes.is_empty() {
            let said = if wanted { "is there" } else { "is not there" };
            return Ok(Plan::unchanged(format!("the rule `{shown}` {said}")));
        }
        let mut line = vec![self.verb.to_owned(), self.chain.to_owned()];
        if let Some(position) = self.position {
            line.push(self.place(cx, &filter, position)?.to_string());
        }
        line.extend(words);
        let comment = match (has != wanted, wanted) {
            (false, _) => "the rules are saved".to_owned(),
            (true, true) => format!("the rule `{shown}` is added"),
            (true, false) => format!("the rule `{shown}` is removed"),
        };
        Ok(Plan::change(changes, comment, move |cx| {
            // A rule may stand there several times; a chain has an end, and so has this.
            let mut is = has;
            for _ in 0..1_000 {
                if is == wanted {
                    break;
                }
                filter.act(cx, &line)?;
                let (Some(chain), Some(rule)) = (line.get(1), line.get(2..)) else { break };
                is = if wanted { true } else { filter.has(cx, chain, rule)? };
            }
            save.write(cx, &filter)?;
            Ok(Outcome::default())
        }))
    }

    /// The position from the beginning; one from the end is counted.
    fn place(&self, cx: &Context, filter: &Filter, position: i64) -> Result<i64, Failure> {
        if position > 0 {
            return Ok(position);
        }
        if position == 0 {
            return Err(Failure::new("`position: 0` is no position; 1 is the beginning of a chain"));
        }
        let lines = filter.list(cx, Some(self.chain))?.unwrap_or_default();
        let rules = lines.iter().filter(|line| line.starts_with("-A ")).count();
        // -1 is behind the last rule.
        let from_end = i64::try_from(rules).unwrap_or(i64::MAX).saturating_add(2).saturating_add(position);
        Ok(from_end.max(1))
    }
}

impl State for Append {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let Self { name, table, chain, family, save, rule, .. } = self;
        Rule { name, table, chain, family, save: save.as_ref(), given: rule, verb: "-A", position: None }
            .plan(cx)
    }
}

impl State for Insert {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let Self { name, table, chain, family, save, rule, .. } = self;
        let position = Some(self.position);
        Rule { name, table, chain, family, save: save.as_ref(), given: rule, verb: "-I", position }.plan(cx)
    }
}

impl State for Delete {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        if self.position.is_some() {
            return Err(Failure::new(
                "`position` names another rule after each change, so a second apply would remove the next one; give the rule itself",
            ));
        }
        let Self { name, table, chain, family, save, rule, .. } = self;
        Rule { name, table, chain, family, save: save.as_ref(), given: rule, verb: "-D", position: None }
            .plan(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::filter::tests::machine, *};

    #[test]
    fn rules_come_are_saved_and_go() {
        let machine = machine(&["-P INPUT ACCEPT", "-A INPUT -i lo -j ACCEPT"]);
        let args = |json: &str| serde_json::from_str(json).unwrap();
        let web = r#""chain": "INPUT", "proto": "tcp", "dport": 80, "jump": "ACCEPT", "save": true"#;
        let outcome = machine.converge::<Append>(&args(&format!(r#"{{"name": "x", {web}}}"#))).unwrap();
        assert_eq!(outcome.changes["rule"], change((), "-A INPUT -p tcp --dport 80 -j ACCEPT"));
        assert!(
            machine.files.text("/etc/iptables/rules.v4").contains("-A INPUT -p tcp --dport 80 -j ACCEPT\n")
        );
        let last = r#"{"name": "x", "chain": "INPUT", "position": -1, "jump": "DROP"}"#;
        machine.converge::<Insert>(&args(last)).unwrap();
        let first = r#"{"name": "x", "chain": "INPUT", "source": "10.0.0.1", "jump": "DROP"}"#;
        machine.converge::<Insert>(&args(first)).unwrap();
        machine.converge::<Delete>(&args(&format!(r#"{{"name": "x", {web}}}"#))).unwrap();
        let saved = machine.files.text("/etc/iptables/rules.v4");
        assert_eq!(
            saved,
            "*filter\n-P INPUT ACCEPT\n-A INPUT --source 10.0.0.1 -j DROP\n-A INPUT -i lo -j ACCEPT\n-A INPUT -j DROP\nCOMMIT\n"
        );
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let machine = machine(&["-P INPUT ACCEPT"]);
        let refusal = |json: &str| {
            machine.converge::<Delete>(&serde_json::from_str(json).unwrap()).unwrap_err().message
        };
        assert!(refusal(r#"{"name": "x", "chain": "INPUT"}"#).contains("`x` has no rule"));
        assert!(
            refusal(r#"{"name": "x", "chain": "INPUT", "position": 1}"#).contains("give the rule itself")
        );
        assert!(
            refusal(r#"{"name": "x", "chain": "-F", "jump": "DROP"}"#).contains("not the name of a chain")
        );
    }
}
