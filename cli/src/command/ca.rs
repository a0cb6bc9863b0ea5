//! `zester ca`

use crate::{
    fleet::block_on,
    options::Common,
    output::{Exit, Failure, print},
};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;
use std::path::{Path, PathBuf};
use zester_executor::{
    auth::{
        account,
        authority::fingerprint,
        installation::{Access, Installation},
        permission::Role,
        rotate,
    },
    bus::{Bus, id::AdminId},
    peel::now_ms,
};

/// The keys that an installation trusts: what is in force, and replacing it while everything runs.
///
/// A rotation begins with both keys good (`rotate`) and ends with the new one alone (`retire`). In between peels renew by themselves: wait as
/// long as their credentials last.
#[derive(Args)]
pub struct CaArgs {
    #[command(subcommand)]
    pub what: What,
}

/// What to do.
#[derive(Subcommand)]
pub enum What {
    /// Shows the keys and authorities in force.
    Show {
        /// The installation's directory, with its safe.
        directory: PathBuf,
    },
    /// Begins: a new key beside the old one. Copy `master/` (and `nats/` for the authority) to their machines and restart masters.
    Rotate {
        /// The installation's directory, with its safe.
        directory: PathBuf,
        /// Which key.
        which: Which,
    },
    /// Makes the certificates of servers, masters and operators anew, under the newest authority. Copy them, reload the servers, restart masters.
    Reissue {
        /// The installation's directory, with its safe.
        directory: PathBuf,
        /// Before all peels have had the time to renew: the others are turned away, and need an operator to come back.
        #[arg(long)]
        force: bool,
    },
    /// Ends: only the new key is good.
    Retire {
        /// The installation's directory, with its safe.
        directory: PathBuf,
        /// Which key.
        which: Which,
        /// Before all peels have had the time to renew: the others are turned away, and need an operator to come back.
        #[arg(long)]
        force: bool,
    },
    /// Makes the keys of a further operator in a new directory.
    Operator {
        /// The installation's directory, with its safe.
        directory: PathBuf,
        /// The operator's name.
        name: String,
        /// The directory that is made.
        into: PathBuf,
    },
}

/// A key that can be replaced.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Which {
    /// The key that signs peels.
    Peels,
    /// The key that signs operators.
    Operators,
    /// The key that signs what peels execute; it is certified by the operator, so there is nothing to retire.
    Dispatch,
    /// The authority of all certificates.
    Authority,
}

impl Which {
    fn role(self) -> Role {
        if self == Self::Operators { Role::Admin } else { Role::Peel }
    }
}

fn wrong(error: impl ToString) -> Failure {
    Failure::new(error.to_string())
}

/// Runs the command.
pub fn run(common: &Common, args: &CaArgs) -> Result<Exit, Failure> {
    let load = |directory: &Path| Installation::load(directory).map_err(wrong);
    let now = now_ms() / 1000;
    match &args.what {
        What::Show { directory } => show(common, &load(directory)?),
        What::Rotate { directory, which } => {
            let mut installation = load(directory)?;
            match which {
                Which::Authority => {
                    installation.rotate_root(now).map_err(wrong)?;
                    eprintln!(
                        "zester: both authorities are trusted. Copy ca.pem of nats/, master/ and admin/, reload the servers, restart masters; when all peels have renewed: zester ca reissue"
                    );
                }
                Which::Dispatch => {
                    installation.rotate_dispatch(now).map_err(wrong)?;
                    eprintln!(
                        "zester: copy master/ to the masters and restart them; peels know the new key by its certificate"
                    );
                }
                Which::Peels | Which::Operators => {
                    change(&mut installation, |i| i.rotate_issuer(which.role(), now).map_err(wrong))?;
                    eprintln!(
                        "zester: the servers accept both keys. Copy master/ to the masters and restart them; when all have renewed: zester ca retire"
                    );
                }
            }
            Ok(Exit::Fine)
        }
        What::Reissue { directory, force } => {
            let mut installation = load(directory)?;
            all_renewed(&installation, rotate::AUTHORITY, now, *force)?;
            let admin = Access::load(&installation.admin()).map_err(wrong)?.claims.name;
            let (nats, masters) =
                (hosts(&installation.description.nats), hosts(&installation.description.masters));
            installation.reissue(&nats, &masters, &admin, now).map_err(wrong)?;
            eprintln!(
                "zester: copy nats/, master/ and admin/, reload the servers, restart masters; when all peels have renewed: zester ca retire … authority"
            );
            Ok(Exit::Fine)
        }
        What::Retire { directory, which, force } => {
            let mut installation = load(directory)?;
            match which {
                Which::Authority => {
                    all_renewed(&installation, rotate::AUTHORITY, now, *force)?;
                    installation.retire_roots().map_err(wrong)?;
                }
                Which::Dispatch => {
                    return Err(Failure::new(
                        "the old dispatch key ends with its certificate; there is nothing to retire",
                    ));
                }
                Which::Peels | Which::Operators => {
                    if *which == Which::Peels {
                        all_renewed(&installation, rotate::PEELS, now, *force)?;
                    }
                    change(&mut installation, |i| i.retire_issuers(which.role(), now).map_err(wrong))?;
                }
            }
            Ok(Exit::Fine)
        }
        What::Operator { directory, name, into } => {
            let name = AdminId::new(name).map_err(wrong)?;
            load(directory)?.add_operator(&name, into, now).map_err(wrong)?;
            eprintln!(
                "zester: {} is the directory of `{name}`: --access, or ~/.config/zester there",
                into.display()
            );
            Ok(Exit::Fine)
        }
    }
}

/// That no peel is turned away by a rotation's next step because it has not renewed yet.
fn all_renewed(installation: &Installation, rotation: &str, now: u64, force: bool) -> Result<(), Failure> {
    let good = super::master::credentials_lifetime(&installation.master())?;
    match installation.renewed_by(rotation, good) {
        Some(when) if now < when && !force => Err(Failure::new(format!(
            "peels' credentials are good for {}, and the last step was {} ago: who has not renewed since would be turned away and need an \
             operator to come back. Wait {} more, or say --force",
            span(good),
            span(now.saturating_sub(when.saturating_sub(good))),
            span(when - now),
        ))),
        _ => Ok(()),
    }
}

/// Seconds as people say them.
fn span(seconds: u64) -> String {
    let (amount, unit) = match seconds {
        s if s >= 2 * 86_400 => (s.div_ceil(86_400), "days"),
        s if s >= 2 * 3_600 => (s.div_ceil(3_600), "hours"),
        s if s >= 120 => (s.div_ceil(60), "minutes"),
        s => (s, "seconds"),
    };
    format!("{amount} {unit}")
}

/// Changes the account on the running servers. What is in force there, revocations included, is taken over first.
fn change(
    installation: &mut Installation,
    edit: impl FnOnce(&mut Installation) -> Result<String, Failure>,
) -> Result<(), Failure> {
    block_on(async {
        let access = installation.safe_access(Role::System).map_err(wrong)?;
        let system = Bus::connect(access.bus_options()).await.map_err(wrong)?;
        let token = account::token(&system, &installation.description.account).await.map_err(wrong)?;
        installation.store_account(&token).map_err(wrong)?;
        let token = edit(installation)?;
        account::push(&system, &token).await.map_err(wrong)?;
        let _ = system.drain().await;
        Ok(())
    })
}

/// The hosts of addresses as `tls://host:port`.
fn hosts(urls: &[String]) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for url in urls {
        let rest = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
        let host = rest.rsplit_once(':').map_or(rest, |(host, _)| host).trim_matches(['[', ']']);
        if !found.iter().any(|h| h == host) {
            found.push(host.to_owned());
        }
    }
    found
}

fn show(common: &Common, installation: &Installation) -> Result<Exit, Failure> {
    let description = &installation.description;
    let bundle = std::fs::read_to_string(installation.master().join("ca.pem")).map_err(wrong)?;
    let mut pins = Vec::new();
    for part in
        bundle.split_inclusive("-----END CERTIFICATE-----").filter(|p| p.contains("BEGIN CERTIFICATE"))
    {
        pins.push(fingerprint(part).map_err(wrong)?);
    }
    if common.json() {
        print(&format!(
            "{}\n",
            json!({"format_version": "1.0", "authorities": pins, "peels": description.peel_issuers,
                "operators": description.admin_issuers, "incarnation": description.anchor.incarnation})
        ));
        return Ok(Exit::Fine);
    }
    for (name, keys) in [
        ("authority", &pins),
        ("peels", &description.peel_issuers),
        ("operators", &description.admin_issuers),
    ] {
        for (n, key) in keys.iter().enumerate() {
            let old = if n > 0 { "  until it is retired" } else { "" };
            print(&format!("{name:<10} {key}{old}\n"));
        }
    }
    Ok(Exit::Fine)
}
