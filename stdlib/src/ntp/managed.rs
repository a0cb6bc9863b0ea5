//! `ntp.managed`

use crate::{Context, Failure, Plan, State, file::text};
use zester_stdlib_derive::Arguments;

/// Configurations of the daemons that read such lines, the first that is there.
const FILES: [&str; 2] = ["/etc/ntpsec/ntp.conf", "/etc/ntp.conf"];

/// The NTP daemon asks these servers and no others; pools and everything else of its configuration stay.
///
/// ```yaml
/// clock:
///   ntp.managed:
///     - servers:
///       - ntp1.example.com
///       - ntp2.example.com iburst
/// ```
#[derive(Arguments)]
#[state("ntp.managed", any_of("servers"))]
pub(crate) struct Managed {
    /// A name for the state.
    #[arg(primary)]
    name: String,
    /// The servers, each with its options.
    servers: Vec<String>,
}

fn server(line: &str) -> Option<Vec<&str>> {
    let mut words = line.split_whitespace();
    (words.next() == Some("server")).then(|| words.collect())
}

impl State for Managed {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        for wanted in &self.servers {
            if wanted.contains('\n')
                || wanted.split_whitespace().next().is_none_or(|host| host.starts_with('#'))
            {
                return Err(Failure::new(format!(
                    "`{}` is no server; write its name, and options behind it",
                    wanted.escape_debug()
                )));
            }
        }
        let mut conf = None;
        for file in FILES {
            if let Some(text) = text::read(cx, file)? {
                conf = Some((file, text));
                break;
            }
        }
        let Some((file, old)) = conf else { return text::missing(cx, FILES[1]) };
        let have: Vec<Vec<&str>> = old.lines().filter_map(server).collect();
        let wanted: Vec<Vec<&str>> = self.servers.iter().map(|s| s.split_whitespace().collect()).collect();
        if have == wanted {
            return Ok(Plan::unchanged(format!("`{}`: the servers are as they should be", self.name)));
        }
        // They stand where the first one stood, else at the end.
        let mut written =
            self.servers.iter().fold(String::new(), |text, s| format!("{text}server {}\n", s.trim()));
        let mut new = String::new();
        for line in old.lines() {
            if server(line).is_some() {
                new.push_str(&std::mem::take(&mut written));
            } else {
                new.push_str(line);
                new.push('\n');
            }
        }
        new.push_str(&written);
        text::Edit::new(file.to_owned()).plan(cx, new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::fake::FakeMachine;

    #[test]
    fn the_servers_and_no_others() {
        let machine = FakeMachine::new();
        let args = |json: &str| serde_json::from_str(json).unwrap();
        let two = args(r#"{"name": "x", "servers": ["a.example", "b.example iburst"]}"#);
        machine
            .files
            .put("/etc/ntp.conf", "driftfile /x\nserver  old.example\npool p\nserver older.example\n");
        machine.converge::<Managed>(&two).unwrap();
        assert_eq!(
            machine.files.text("/etc/ntp.conf"),
            "driftfile /x\nserver a.example\nserver b.example iburst\npool p\n"
        );
        // The newer daemon's file is the one that counts.
        machine.files.put("/etc/ntpsec/ntp.conf", "pool p\n");
        machine.converge::<Managed>(&two).unwrap();
        assert_eq!(
            machine.files.text("/etc/ntpsec/ntp.conf"),
            "pool p\nserver a.example\nserver b.example iburst\n"
        );
        machine.converge::<Managed>(&args(r#"{"name": "x", "servers": []}"#)).unwrap();
        assert_eq!(machine.files.text("/etc/ntpsec/ntp.conf"), "pool p\n");
        let wrong = args(r##"{"name": "x", "servers": ["# none"]}"##);
        assert!(machine.converge::<Managed>(&wrong).unwrap_err().message.contains("is no server"));
    }
}
