//! What stands at module level.

use super::*;

impl<'a> Parser<'a> {
    pub(super) fn items(&mut self) -> Result<(), SyntaxError> {
        if self.peek() != Token::Dot("version") {
            return self.error("a PTX text begins with .version");
        }
        while self.peek() != Token::End {
            self.item()?;
        }
        Ok(())
    }

    fn item(&mut self) -> Result<(), SyntaxError> {
        let Token::Dot(word) = self.peek() else {
            return self.error(format!("a directive expected, found {}", shown(self.peek())));
        };
        match word {
            "version" => {
                self.next();
                // the lexer reads 8.8 as a decimal number and 9 as a whole one
                self.module.version = match self.next() {
                    Token::Double(bits) => {
                        let tenths = (f64::from_bits(bits) * 10.0).round() as u32;
                        (tenths / 10, tenths % 10)
                    }
                    Token::Integer(major) => (major as u32, 0),
                    other => {
                        return self.error(format!("a version expected, found {}", shown(other)));
                    }
                };
            }
            "target" => {
                self.next();
                self.module.target = self.word()?;
                while self.take(',') {
                    self.word()?;
                }
            }
            "address_size" => {
                self.next();
                if self.integer()? != 64 {
                    return self.error("only 64-bit addresses are supported");
                }
            }
            "file" => self.file()?,
            "section" => self.section()?,
            "loc" => self.loc()?,
            "pragma" => self.pragma()?,
            "alias" => {
                self.next();
                let new = self.word()?;
                self.expect(',')?;
                let old = self.word()?;
                self.expect(';')?;
                self.module.aliases.push((new, old));
            }
            "extern" | "visible" | "weak" | "common" => {
                let is_extern = word == "extern";
                self.next();
                match self.peek() {
                    Token::Dot("entry" | "func") => self.function()?,
                    _ => self.module_variable(is_extern)?,
                }
            }
            "entry" | "func" => self.function()?,
            "global" | "const" | "shared" | "local" => self.module_variable(false)?,
            _ => {
                return self.error(format!("the directive '.{word}' is not known at module level"));
            }
        }
        Ok(())
    }

    fn module_variable(&mut self, is_extern: bool) -> Result<(), SyntaxError> {
        let variables = self.variables(is_extern)?;
        self.module.variables.extend(variables);
        Ok(())
    }
}
