//! Further operators of an installation.

use super::{
    authority::{Authority, Level, Use},
    creds,
    init::INFRASTRUCTURE_DAYS,
    installation::Installation,
    issue::Subject,
    permission::Role,
    private::{self, Mode},
    rotate::RotateError,
};
use crate::{auth::authority::DAY, bus::id::AdminId};
use std::path::Path;

impl Installation {
    /// Makes the directory of an operator: credentials, a certificate, whom to reach.
    pub fn add_operator(&self, name: &AdminId, into: &Path, now: u64) -> Result<(), RotateError> {
        let until = now.saturating_add(INFRASTRUCTURE_DAYS * DAY);
        let issuer = self.issuer(Role::Admin)?;
        let made = issuer.credentials(|key| Subject::admin(name, key), now, Some(until))?;
        let master = self.master();
        let intermediate = Authority::load(
            Level::Intermediate,
            &private::read_public(&master.join("intermediate.pem"))?,
            &private::read_secret(&master.join("intermediate.key"))?,
        )?;
        let identity = intermediate.identity(&Use::Client(name.as_str()), now, INFRASTRUCTURE_DAYS)?;
        private::make_directory(into)?;
        private::create(&into.join("client.pem"), Mode::Public, &identity.chain)?;
        private::create(&into.join("client.key"), Mode::Secret, &identity.key)?;
        for file in ["ca.pem", "installation.json"] {
            private::create(
                &into.join(file),
                Mode::Public,
                &private::read_public(&self.admin().join(file))?,
            )?;
        }
        // Last: a directory with credentials is whole.
        Ok(private::create(&into.join("admin.creds"), Mode::Secret, &creds::format(&made))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::{
        init::{InitOptions, init},
        installation::Access,
    };

    #[test]
    fn a_second_operator_has_keys_of_their_own() {
        let directory = tempfile::tempdir().unwrap();
        let options = InitOptions::local(AdminId::new("alice").unwrap(), 1_800_000_000);
        let installation = init(&directory.path().join("fleet"), &options).unwrap();
        let into = directory.path().join("bob");
        installation.add_operator(&AdminId::new("bob").unwrap(), &into, 1_800_000_000).unwrap();
        let (bob, alice) = (Access::load(&into).unwrap(), Access::load(&installation.admin()).unwrap());
        assert_eq!((bob.who.as_str(), bob.claims.name.as_str()), ("_admin.bob", "bob"));
        assert!(bob.claims.sub != alice.claims.sub && bob.claims.iss == alice.claims.iss);
        assert!(installation.add_operator(&AdminId::new("bob").unwrap(), &into, 1_800_000_000).is_err());
    }
}
