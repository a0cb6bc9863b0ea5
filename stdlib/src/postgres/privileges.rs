//! `postgres_privileges.present`, `postgres_privileges.absent`

use super::grants::Target;
use crate::{Changes, Context, Failure, Outcome, Plan, State, change};
use std::collections::BTreeSet;
use zester_compiler::types::Value;
use zester_stdlib_derive::Arguments;

/// A user of a PostgreSQL server may do these things with an object, at least. `maintenance_db` is the database that the object is in.
///
/// ```yaml
/// report reads orders:
///   postgres_privileges.present:
///     - name: report
///     - object_name: orders
///     - object_type: table
///     - privileges: [SELECT]
///     - maintenance_db: shop
/// ```
#[derive(Arguments)]
#[state("postgres_privileges.present")]
pub(crate) struct Present {
    /// Whose privileges, and on what.
    #[arg(flatten)]
    target: Target,
    /// Whether it may allow others the same; in a group, whether it may take others in.
    #[arg(default = false)]
    grant_option: bool,
}

impl State for Present {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let target = &self.target;
        let objects = target.find(cx)?;
        let mut changes = Changes::new();
        let mut sql = String::new();
        for object in &objects {
            let wanted = target.wanted(object)?;
            let missing = object.missing(&wanted, self.grant_option);
            if missing.is_empty() {
                continue;
            }
            object.note(&missing, &BTreeSet::new(), &mut changes);
            let option = match (self.grant_option, target.is_group()) {
                (false, _) => "",
                (true, true) => " WITH ADMIN OPTION",
                (true, false) => " WITH GRANT OPTION",
            };
            sql.push_str(&format!("{}{option};\n", target.sentence("GRANT", object, &missing)));
        }
        if objects.is_empty() && cx.test {
            // What is not there yet, an earlier state makes.
            changes.insert(target.shown(), change((), Value::from(target.privileges().to_vec())));
        }
        let (name, object) = (&target.name, target.shown());
        if changes.is_empty() {
            return Ok(Plan::unchanged(format!("`{name}` has its privileges on {object}")));
        }
        Ok(Plan::change(changes, format!("`{name}` gets its privileges on {object}"), move |cx| {
            self.target.server.tell(cx, None, &format!("BEGIN;\n{sql}COMMIT;"))?;
            Ok(Outcome::default())
        }))
    }
}

/// A user of a PostgreSQL server may not do these things with an object.
///
/// ```yaml
/// report leaves orders alone:
///   postgres_privileges.absent:
///     - name: report
///     - object_name: orders
///     - object_type: table
///     - privileges: [INSERT, UPDATE]
///     - maintenance_db: shop
/// ```
#[derive(Arguments)]
#[state("postgres_privileges.absent")]
pub(crate) struct Absent {
    /// Whose privileges, and on what.
    #[arg(flatten)]
    target: Target,
}

impl State for Absent {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let target = &self.target;
        let mut changes = Changes::new();
        let mut sql = String::new();
        for object in &target.find(cx)? {
            let held = object.held(&target.wanted(object)?);
            if held.is_empty() {
                continue;
            }
            object.note(&BTreeSet::new(), &held, &mut changes);
            sql.push_str(&format!("{};\n", target.sentence("REVOKE", object, &held)));
        }
        let (name, object) = (&target.name, target.shown());
        if changes.is_empty() {
            return Ok(Plan::unchanged(format!("`{name}` has none of these privileges on {object}")));
        }
        Ok(Plan::change(changes, format!("`{name}` loses privileges on {object}"), move |cx| {
            self.target.server.tell(cx, None, &format!("BEGIN;\n{sql}COMMIT;"))?;
            Ok(Outcome::default())
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::client::tests::machine, *};

    fn args(json: &str) -> zester_compiler::types::Map {
        serde_json::from_str(json).unwrap()
    }

    /// A table on which `report` has `SELECT` and what it was granted.
    fn row(told: &[String]) -> String {
        let all = told.join(" ");
        let mut held: Vec<&str> = vec!["SELECT"];
        if all.contains("GRANT INSERT") {
            held.insert(0, "INSERT");
        }
        if all.contains("REVOKE") {
            held.retain(|word| *word != "SELECT");
        }
        let held = format!("{held:?}");
        let grantable = if all.contains("OPTION") { held.as_str() } else { "[]" };
        format!(
            "{{\"object\":\"public.orders\",\"role\":true,\"privileges\":{held},\"grantable\":{grantable},\
             \"every\":[\"INSERT\",\"SELECT\",\"UPDATE\"]}}\n"
        )
    }

    const TABLE: &str = r#""name": "report", "object_name": "orders", "object_type": "table""#;

    #[test]
    fn what_is_missing_is_granted() {
        let (machine, told) = machine(|_, told| row(told));
        let wanted = args(&format!(r#"{{{TABLE}, "privileges": ["select", "insert"]}}"#));
        let changes = machine.converge::<Present>(&wanted).unwrap().changes;
        let list = |words: &[&str]| Value::from(words.iter().map(|w| Value::from(*w)).collect::<Vec<_>>());
        assert_eq!(changes["public.orders"], change(list(&["SELECT"]), list(&["INSERT", "SELECT"])));
        assert_eq!(
            *told.lock().unwrap(),
            ["BEGIN;\nGRANT INSERT ON TABLE public.orders TO \"report\";\nCOMMIT;"]
        );
        let option = args(&format!(r#"{{{TABLE}, "privileges": ["SELECT"], "grant_option": true}}"#));
        machine.converge::<Present>(&option).unwrap();
        assert!(told.lock().unwrap()[1].contains("TO \"report\" WITH GRANT OPTION;"));
        let odd = args(&format!(r#"{{{TABLE}, "privileges": ["SELEKT"]}}"#));
        let failure = machine.converge::<Present>(&odd).unwrap_err().message;
        assert_eq!(failure, "`SELEKT` is no privilege of a table; those are INSERT, SELECT, UPDATE");
    }

    #[test]
    fn what_is_held_is_revoked() {
        let (machine, told) = machine(|_, told| row(told));
        let all = args(&format!(r#"{{{TABLE}, "privileges": ["ALL"]}}"#));
        machine.converge::<Absent>(&all).unwrap();
        assert_eq!(
            *told.lock().unwrap(),
            ["BEGIN;\nREVOKE SELECT ON TABLE public.orders FROM \"report\";\nCOMMIT;"]
        );
    }

    #[test]
    fn what_is_not_there_is_told() {
        let (machine, _) = machine(|_, _| String::new());
        let failure = |json: String| {
            use zester_compiler::types::Arguments;
            Present::from_values(&args(&json)).unwrap().plan(&machine.context()).err().unwrap().message
        };
        let none = failure(format!(r#"{{{TABLE}, "privileges": ["SELECT"]}}"#));
        assert_eq!(none, "there is no table `public.orders`");
        assert!(failure(format!("{{{TABLE}}}")).contains("say `ALL`"));
        let group = failure(r#"{"name": "a", "object_name": "staff", "object_type": "group"}"#.to_owned());
        assert_eq!(group, "there is no group `staff`");
    }
}
