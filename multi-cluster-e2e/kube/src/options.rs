//! What an API server is started with.

/// The user that may do everything, of every API server.
pub const ADMIN: &str = "admin";

/// How to start an API server. By default: without controllers, without an audit log, with [`ADMIN`] alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// Also start the controllers that deletion needs (namespaces, owner references), that make EndpointSlices, and that
    /// make service accounts.
    pub controller_manager: bool,
    /// Write an audit log, for [`crate::ApiServer::audit`].
    pub audit: bool,
    /// Users besides [`ADMIN`]. RBAC is on: a user may do what a role lets it.
    pub users: Vec<User>,
}

impl Options {
    /// With controllers and an audit log: what a cluster has, but for nodes and pods.
    pub fn cluster() -> Self {
        Self { controller_manager: true, audit: true, users: Vec::new() }
    }

    /// The same with one more user, in no group.
    #[must_use]
    pub fn with_user(mut self, name: &str) -> Self {
        self.users.push(User { name: name.to_owned(), groups: Vec::new() });
        self
    }
}

/// Somebody with a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Also its token is made of this.
    pub name: String,
    /// Groups, such as `system:masters`.
    pub groups: Vec<String>,
}

impl User {
    /// The token of a user by name: nothing that is worth a secret, on loopback, for as long as a test lives.
    pub(crate) fn token(name: &str) -> String {
        format!("{name}-token")
    }

    /// One line of the file that `--token-auth-file` names.
    pub(crate) fn csv(&self) -> String {
        let groups = self.groups.join(",");
        format!("{},{},{},\"{groups}\"\n", Self::token(&self.name), self.name, self.name)
    }
}
