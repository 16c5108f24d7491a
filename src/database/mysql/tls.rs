//! How the connection to a server is encrypted, and by what the server is known.

use std::path::Path;

use mysql_async::{ClientIdentity, SslOpts};

use crate::database::{MysqlAddress, MysqlSpec};
use crate::error::{Context, Error, Result};

/// What the driver needs; `None` for connections that are not to be encrypted. All files are read here, so that an error
/// names the file.
pub(super) fn options(spec: &MysqlSpec) -> Result<Option<SslOpts>> {
    let Some(tls) = &spec.tls else { return Ok(None) };
    if !matches!(spec.address, MysqlAddress::Tcp { .. }) {
        return Err(Error::usage("a connection over a local socket is not encrypted")
            .with_remedy("remove `tls`, or write the server's `host`"));
    }
    let mut options = SslOpts::default();
    if let Some(ca) = &tls.ca {
        // Whoever names a CA means this one and not also some hundred others.
        options =
            options.with_root_certs(vec![read(ca, "CERTIFICATE")?.into()]).with_disable_built_in_roots(true);
    }
    if let (Some(cert), Some(key)) = (&tls.cert, &tls.key) {
        let identity =
            ClientIdentity::new(read(cert, "CERTIFICATE")?.into(), read(key, "PRIVATE KEY")?.into());
        options = options.with_client_identity(Some(identity));
    }
    if !tls.verify {
        options = options.with_danger_accept_invalid_certs(true).with_danger_skip_domain_validation(true);
    }
    Ok(Some(options))
}

fn read(path: &Path, what: &str) -> Result<Vec<u8>> {
    let data = std::fs::read(path).with_context(|| format!("read {}", path.display()))?;
    let end = format!("{what}-----");
    if data.windows(end.len()).any(|window| window == end.as_bytes()) {
        Ok(data)
    } else {
        Err(Error::usage(format!("{} holds no {} in PEM", path.display(), what.to_lowercase())))
    }
}
