//! `iptables.set_policy`

use super::filter::{Filter, Save};
use crate::{Changes, Context, Failure, Outcome, Plan, State, change};
use zester_compiler::types::Value;
use zester_stdlib_derive::Arguments;

/// What becomes of packets that no rule of a built-in chain decides.
///
/// ```yaml
/// drop-by-default:
///   iptables.set_policy:
///     - chain: INPUT
///     - policy: DROP
/// ```
#[derive(Arguments)]
#[state("iptables.set_policy")]
pub(crate) struct SetPolicy {
    /// A name for the state.
    #[arg(primary)]
    name: String,
    /// The table.
    #[arg(default = "filter")]
    table: String,
    /// The chain: one of those that the kernel has by itself.
    chain: String,
    /// The policy.
    #[arg(one_of("ACCEPT", "DROP"))]
    policy: String,
    /// `ipv4` or `ipv6`.
    #[arg(default = "ipv4", one_of("ipv4", "ipv6"))]
    family: String,
    /// Whether the rules are kept for the next boot; a path says where.
    #[arg(ty = Type::Bool.or(Type::Path))]
    save: Option<Value>,
}

impl State for SetPolicy {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let Self { chain, policy, .. } = self;
        let filter = Filter::of(cx, &self.family, &self.table, Some(chain))?;
        let lines = filter.list(cx, Some(chain))?;
        let begin = format!("-P {chain} ");
        let old = lines.iter().flatten().find_map(|line| line.strip_prefix(&begin));
        let old = old.map(|rest| rest.split_whitespace().next().unwrap_or_default().to_owned());
        if old.is_none() && !cx.test {
            return Err(Failure::new(format!(
                "`{}`: there is no built-in chain `{chain}` in table `{}`",
                self.name, self.table
            )));
        }
        let mut changes = Changes::new();
        if old.as_ref() != Some(policy) {
            changes.insert("policy".to_owned(), change(old, policy.as_str()));
        }
        let save = Save::of(cx, &filter, self.save.as_ref())?;
        save.note(cx, &mut changes)?;
        if changes.is_empty() {
            return Ok(Plan::unchanged(format!("the policy of `{chain}` is `{policy}`")));
        }
        let set = changes.contains_key("policy");
        Ok(Plan::change(changes, format!("the policy of `{chain}` becomes `{policy}`"), move |cx| {
            if set {
                filter.act(cx, &["-P".to_owned(), self.chain.clone(), self.policy.clone()])?;
            }
            save.write(cx, &filter)?;
            Ok(Outcome::default())
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::filter::tests::machine, *};

    #[test]
    fn set_once() {
        let machine = machine(&["-P INPUT ACCEPT", "-A INPUT -i lo -j ACCEPT"]);
        let args = |json: &str| serde_json::from_str(json).unwrap();
        let drop = args(r#"{"name": "x", "chain": "INPUT", "policy": "DROP"}"#);
        assert_eq!(machine.converge::<SetPolicy>(&drop).unwrap().changes["policy"], change("ACCEPT", "DROP"));
        let state = <SetPolicy as zester_compiler::types::Arguments>::from_values(&args(
            r#"{"name": "x", "chain": "MINE", "policy": "DROP"}"#,
        ));
        let message = state.unwrap().plan(&machine.context()).err().unwrap().message;
        assert_eq!(message, "`x`: there is no built-in chain `MINE` in table `filter`");
    }
}
