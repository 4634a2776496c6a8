//! The `tls` of a listener: the files are loaded once, so that what is wrong with them is said here.

use std::path::PathBuf;

use crate::config::key::Read;
use crate::config::problem::Complaint;
use crate::config::secret;
use crate::config::section::Section;
use crate::listen::{Part, Tls, Unusable};

pub(super) fn tls(tls: &mut Section<'_>) -> Option<Tls> {
    let cert = tls.key("cert").read(secret::path);
    let key = tls.key("key").read(|item| {
        let path = secret::path(item)?;
        secret::warn_where_all_can_read(item, &path);
        Some(path)
    });
    let client_ca = tls.key("client_ca").read(secret::path);
    let mut files = Tls {
        cert: cert.value().cloned().unwrap_or_default(),
        key: key.value().cloned().unwrap_or_default(),
        client_ca: client_ca.value().cloned(),
    };
    let unusable = match cert.value().is_some() && key.value().is_some() {
        true => files.check().err(),
        false => None,
    };
    if unusable.is_some() {
        // While they are good they are followed by their listener. As they are they keep a configuration out,
        // which is to be read again when they are mended.
        for file in [&files.cert, &files.key].into_iter().chain(&files.client_ca) {
            tls.belongs(file.clone());
        }
    }
    let client_ca = checked(client_ca, Part::ClientCa, unusable.as_ref());
    let cert = checked(cert, Part::Cert, unusable.as_ref());
    let key = checked(key, Part::Key, unusable.as_ref());
    let is_wrong = client_ca.is_wrong();
    // Both are asked for, so that both are said to be missing, and to be required.
    let cert = cert.required("name the PEM file of the certificate chain");
    let key = key.required("name the PEM file of the private key");
    (files.cert, files.key) = (cert?, key?);
    (!is_wrong).then_some(files)
}

fn checked<'r>(
    read: Read<'r, PathBuf>,
    part: Part,
    unusable: Option<&Unusable>,
) -> Read<'r, PathBuf> {
    read.check(|_| match unusable {
        Some(unusable) if unusable.part == part => Err(Complaint::new(unusable.what.clone())),
        _ => Ok(()),
    })
}
