//! `iptables.flush`, `iptables.chain_present` and `iptables.chain_absent`

use super::filter::Filter;
use crate::{Changes, Context, Failure, Outcome, Plan, State, change};
use zester_stdlib_derive::Arguments;

/// A chain has no rules; without `chain` no chain of the table has any.
///
/// ```yaml
/// start-over:
///   iptables.flush:
///     - chain: INPUT
/// ```
#[derive(Arguments)]
#[state("iptables.flush")]
pub(crate) struct Flush {
    /// A name for the state.
    #[arg(primary)]
    name: String,
    /// The table.
    #[arg(default = "filter")]
    table: String,
    /// The chain.
    chain: Option<String>,
    /// `ipv4` or `ipv6`.
    #[arg(default = "ipv4", one_of("ipv4", "ipv6"))]
    family: String,
}

/// A chain is there.
///
/// ```yaml
/// SERVICES:
///   iptables.chain_present: []
/// ```
#[derive(Arguments)]
#[state("iptables.chain_present")]
pub(crate) struct ChainPresent {
    /// The chain.
    #[arg(primary)]
    name: String,
    /// The table.
    #[arg(default = "filter")]
    table: String,
    /// `ipv4` or `ipv6`.
    #[arg(default = "ipv4", one_of("ipv4", "ipv6"))]
    family: String,
}

/// A chain is not there, nor are its rules.
///
/// ```yaml
/// SERVICES:
///   iptables.chain_absent: []
/// ```
#[derive(Arguments)]
#[state("iptables.chain_absent")]
pub(crate) struct ChainAbsent {
    /// The chain.
    #[arg(primary)]
    name: String,
    /// The table.
    #[arg(default = "filter")]
    table: String,
    /// `ipv4` or `ipv6`.
    #[arg(default = "ipv4", one_of("ipv4", "ipv6"))]
    family: String,
}

fn words(verb: &str, chain: Option<&str>) -> Vec<String> {
    std::iter::once(verb).chain(chain).map(str::to_owned).collect()
}

impl State for Flush {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let chain = self.chain.as_deref().filter(|c| !c.is_empty());
        let filter = Filter::of(cx, &self.family, &self.table, chain)?;
        let lines = filter.list(cx, chain)?.unwrap_or_default();
        let rules: Vec<String> = lines.into_iter().filter(|line| line.starts_with("-A ")).collect();
        let what = chain.map_or_else(|| format!("table `{}`", self.table), |c| format!("chain `{c}`"));
        if rules.is_empty() {
            return Ok(Plan::unchanged(format!("{what} has no rules")));
        }
        let changes = Changes::from_iter([("rules".to_owned(), change(rules, ()))]);
        Ok(Plan::change(changes, format!("`{}`: {what} loses its rules", self.name), move |cx| {
            filter.act(cx, &words("-F", chain))?;
            Ok(Outcome::default())
        }))
    }
}

impl State for ChainPresent {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let filter = Filter::of(cx, &self.family, &self.table, Some(&self.name))?;
        if filter.list(cx, Some(&self.name))?.is_some() {
            return Ok(Plan::unchanged(format!("the chain `{}` is there", self.name)));
        }
        let changes = Changes::from_iter([("chain".to_owned(), change((), self.name.as_str()))]);
        Ok(Plan::change(changes, format!("the chain `{}` is made", self.name), move |cx| {
            filter.act(cx, &words("-N", Some(&self.name)))?;
            Ok(Outcome::default())
        }))
    }
}

impl State for ChainAbsent {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let filter = Filter::of(cx, &self.family, &self.table, Some(&self.name))?;
        if filter.list(cx, Some(&self.name))?.is_none() {
            return Ok(Plan::unchanged(format!("there is no chain `{}`", self.name)));
        }
        let changes = Changes::from_iter([("chain".to_owned(), change(self.name.as_str(), ()))]);
        Ok(Plan::change(changes, format!("the chain `{}` is removed", self.name), move |cx| {
            filter.act(cx, &words("-F", Some(&self.name)))?;
            filter.act(cx, &words("-X", Some(&self.name)))?;
            Ok(Outcome::default())
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::filter::tests::machine, *};

    #[test]
    fn chains_come_are_emptied_and_go() {
        let machine = machine(&["-P INPUT ACCEPT", "-A INPUT -j DROP"]);
        let args = |json: &str| serde_json::from_str(json).unwrap();
        machine.converge::<ChainPresent>(&args(r#"{"name": "MINE"}"#)).unwrap();
        let outcome = machine.converge::<Flush>(&args(r#"{"name": "x", "chain": "INPUT"}"#)).unwrap();
        assert_eq!(outcome.changes["rules"], change(vec!["-A INPUT -j DROP"], ()));
        let outcome = machine.converge::<ChainAbsent>(&args(r#"{"name": "MINE"}"#)).unwrap();
        assert_eq!(outcome.changes["chain"], change("MINE", ()));
    }

    #[test]
    fn a_missing_chain_is_not_asked_for() {
        // What nftables' program says of one is not that it is missing.
        let machine = machine(&["-P INPUT ACCEPT", "-N MINE2", "-A INPUT -j MINE"]);
        machine.commands.reply(
            "iptables --wait -t filter -S MINE",
            1,
            "chain `MINE' is incompatible, use 'nft' tool.",
        );
        let args = serde_json::from_str(r#"{"name": "MINE"}"#).unwrap();
        assert!(machine.converge::<ChainAbsent>(&args).unwrap().changes.is_empty());
    }
}
