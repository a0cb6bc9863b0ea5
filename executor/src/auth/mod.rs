//! Who may do what: keys, signatures, credentials.
//!
//! [`jwt`] is what the server reads, [`permission`] what is in it; [`init`] makes an installation, [`issue`] the credentials of its users.

pub mod account;
pub mod authority;
pub mod creds;
pub mod init;
pub mod installation;
pub mod issue;
pub mod jwt;
pub mod lint;
pub mod operators;
pub mod permission;
pub mod private;
pub mod request;
pub mod rotate;
pub mod seal;
pub mod sealed_text;
pub mod server_config;
pub mod signed;
