//! Directives that say where code comes from or advise the compiler.

use super::*;

impl<'a> Parser<'a> {
    pub(super) fn file(&mut self) -> Result<(), SyntaxError> {
        self.next();
        let number = self.small()?;
        let Token::Text(name) = self.next() else {
            return self.error("a file name expected after .file");
        };
        if self.take(',') {
            self.integer()?;
            self.expect(',')?;
            self.integer()?;
        }
        self.module.files.push((number, name));
        Ok(())
    }

    /// Debug sections carry nothing that execution needs.
    pub(super) fn section(&mut self) -> Result<(), SyntaxError> {
        self.next();
        let opened = self.line();
        self.next();
        self.expect('{')?;
        let mut depth = 1;
        while depth > 0 {
            match self.next() {
                Token::Mark('{') => depth += 1,
                Token::Mark('}') => depth -= 1,
                Token::End => return Err(SyntaxError::new(opened, "a section that never ends")),
                _ => {}
            }
        }
        Ok(())
    }

    pub(super) fn loc(&mut self) -> Result<(), SyntaxError> {
        self.next();
        let place = Place { file: self.small()?, line: self.small()? };
        self.integer()?;
        if self.take(',') {
            let keyword = self.word()?;
            if keyword != "function_name" {
                return self.error(format!("'function_name' expected in .loc, found '{keyword}'"));
            }
            self.word()?;
            if self.take('+') {
                self.integer()?;
            }
            self.expect(',')?;
            self.word()?;
            self.integer()?;
            self.integer()?;
            self.integer()?;
        }
        // line 0 marks code that belongs to no line: the line before stays the best answer
        if place.line != 0 && self.module.places.last() != Some(&place) {
            self.module.places.push(place);
        }
        self.place = self.module.places.len() as u32;
        Ok(())
    }

    pub(super) fn pragma(&mut self) -> Result<(), SyntaxError> {
        self.next();
        loop {
            let Token::Text(text) = self.next() else {
                return self.error("a string expected after .pragma");
            };
            // The compiler loads more than it needs and says so; other pragmas are only advice.
            if let Some(mask) = text.strip_prefix("used_bytes_mask ") {
                let mask = mask.trim();
                let parsed = match mask.strip_prefix("0x") {
                    Some(digits) => u64::from_str_radix(digits, 16),
                    None => mask.parse(),
                };
                self.used_bytes = match parsed {
                    Ok(mask) => mask,
                    Err(_) => return self.error(format!("'{mask}' is not a mask of bytes")),
                };
            }
            if !self.take(',') {
                break;
            }
        }
        self.expect(';')
    }
}
