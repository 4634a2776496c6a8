//! An avatar: an image by its bytes, whatever its name and content type say.

use std::fmt;

use bytes::Bytes;

use crate::policy::route::ProfileRules;
use crate::refusal::{Reason, Refusal};
use crate::wechat::client::{ImageType, MAX_IMAGE};

/// Pixels that img_sec_check takes, by WeChat's page.
const MAX_WIDTH: usize = 750;
const MAX_HEIGHT: usize = 1334;

/// An image of a size that the route takes.
#[derive(Clone)]
pub struct Avatar {
    pub(super) image_type: ImageType,
    pub(super) bytes: Bytes,
    width: usize,
    height: usize,
    file_name: Option<String>,
}

impl Avatar {
    /// Reads the type and the size of an image from its first bytes.
    pub(super) fn parse(
        bytes: Bytes,
        file_name: Option<String>,
        rules: &ProfileRules,
    ) -> Result<Self, Refusal> {
        if bytes.len() as u64 > rules.avatar_size {
            return Err(Refusal::new(Reason::BodyTooLarge, "an avatar beyond avatar_size"));
        }
        let refused = || Refusal::new(Reason::BadRequest, "an avatar that is no png, jpeg or webp");
        let image_type = match imagesize::image_type(&bytes).map_err(|_| refused())? {
            imagesize::ImageType::Jpeg => ImageType::Jpeg,
            imagesize::ImageType::Png => ImageType::Png,
            imagesize::ImageType::Webp => ImageType::Webp,
            _ => return Err(refused()),
        };
        let size = imagesize::blob_size(&bytes).map_err(|_| refused())?;
        if size.width == 0 || size.height == 0 {
            return Err(refused());
        }
        Ok(Self { image_type, bytes, width: size.width, height: size.height, file_name })
    }

    /// Whether WeChat checks it at once.
    pub fn fits_img_sec_check(&self) -> bool {
        self.bytes.len() <= MAX_IMAGE && self.width <= MAX_WIDTH && self.height <= MAX_HEIGHT
    }

    /// What it is.
    pub fn image_type(&self) -> ImageType {
        self.image_type
    }

    /// The name that the client gave the file.
    pub fn file_name(&self) -> Option<&str> {
        self.file_name.as_deref()
    }
}

impl fmt::Debug for Avatar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { image_type, width, height, .. } = self;
        write!(f, "Avatar({image_type:?}, {width} x {height}, {} bytes)", self.bytes.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(bytes: &[u8]) -> Result<Avatar, Reason> {
        let bytes = Bytes::copy_from_slice(bytes);
        Avatar::parse(bytes, None, &ProfileRules::default()).map_err(|refusal| refusal.reason)
    }

    fn png(width: u32, height: u32) -> Vec<u8> {
        let size = [width.to_be_bytes(), height.to_be_bytes()].concat();
        [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".as_slice(), &size, b"\x08\x06\0\0\0"].concat()
    }

    fn jpeg(width: u16, height: u16) -> Vec<u8> {
        let size = [height.to_be_bytes(), width.to_be_bytes()].concat();
        [b"\xff\xd8\xff\xe0\0\x04\0\0\xff\xc0\0\x0b\x08".as_slice(), &size, b"\x01\0"].concat()
    }

    fn webp(width: u16, height: u16) -> Vec<u8> {
        let size = [width.to_le_bytes(), height.to_le_bytes()].concat();
        [b"RIFF\x20\0\0\0WEBPVP8 \x14\0\0\0\0\0\0\x9d\x01\x2a".as_slice(), &size].concat()
    }

    #[test]
    fn an_image_is_told_by_its_bytes() {
        for (bytes, image_type) in [
            (png(132, 100), ImageType::Png),
            (jpeg(132, 100), ImageType::Jpeg),
            (webp(132, 100), ImageType::Webp),
        ] {
            let avatar = parse(&bytes).unwrap();
            let size = (avatar.width, avatar.height);
            assert_eq!((avatar.image_type, size), (image_type, (132, 100)));
        }
    }

    #[test]
    fn what_is_no_image_is_refused() {
        for bytes in [
            b"".as_slice(),
            b"\x89PNG",
            b"GIF89a\x10\0\x10\0\0\0\0\0\0\0\0\0",
            b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>",
            b"<html><script>alert(1)</script></html>",
            b"BM\x9a\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\x10\0\0\0\x10\0\0\0",
            &png(0, 100),
            &png(132, 100)[..20],
            &jpeg(132, 100)[..8],
        ] {
            assert_eq!(parse(bytes).err(), Some(Reason::BadRequest), "{bytes:?}");
        }
        // Lengths that point back or beyond the end.
        for length in [0, 1, 2, 0xffff_u16] {
            let bytes =
                [b"\xff\xd8\xff\xe0".as_slice(), &length.to_be_bytes(), &[0xff; 32]].concat();
            assert_eq!(parse(&bytes).err(), Some(Reason::BadRequest), "{bytes:?}");
        }
    }

    #[test]
    fn an_image_beyond_the_routes_size_is_too_large() {
        let mut bytes = png(132, 100);
        bytes.resize(1 << 20, 0);
        assert!(parse(&bytes).unwrap().fits_img_sec_check());
        bytes.push(0);
        assert_eq!(parse(&bytes).err(), Some(Reason::BodyTooLarge));
    }

    #[test]
    fn only_small_images_are_checked_at_once() {
        let fits = |width, height| parse(&png(width, height)).unwrap().fits_img_sec_check();
        assert!(fits(750, 1334));
        assert!(!fits(751, 1) && !fits(1, 1335));
    }
}
