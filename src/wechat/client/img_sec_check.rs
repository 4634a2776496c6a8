//! img_sec_check: whether a small image is fit to be shown, at once.

use bytes::Bytes;

use super::multipart::File;
use super::{Body, Call, Client, Failed, Suggest};
use crate::secret::Secret;
use crate::wechat::errcode::Api;

/// Bytes of an image, by WeChat's page.
pub const MAX_IMAGE: usize = 1 << 20;
/// The errcode by which the call says that an image is risky.
const RISKY: i64 = 87014;

/// What an image is, by its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names of the formats")]
pub enum ImageType {
    Jpeg,
    Png,
    Webp,
}

impl ImageType {
    fn media_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Webp => "image/webp",
        }
    }

    fn file_name(self) -> &'static str {
        match self {
            Self::Jpeg => "media.jpg",
            Self::Png => "media.png",
            Self::Webp => "media.webp",
        }
    }
}

impl Client {
    /// WeChat's verdict on an image of at most [`MAX_IMAGE`] bytes and 750 x 1334 pixels: it passes
    /// or is risky. The client's own name of the file does not go with it.
    pub async fn img_sec_check(
        &self,
        token: &Secret,
        image: Bytes,
        image_type: ImageType,
    ) -> Result<Suggest, Failed> {
        let file = File {
            field: "media",
            name: image_type.file_name(),
            media_type: image_type.media_type(),
            bytes: image,
        };
        let call = Call {
            api: Api::ImgSecCheck,
            query: &[("access_token", token.expose())],
            body: Body::Multipart(file),
        };
        match self.call(&call).await {
            Ok(_) => Ok(Suggest::Pass),
            Err(failed) if failed.is(RISKY) => Ok(Suggest::Risky),
            Err(failed) => Err(failed),
        }
    }
}
