//! The pointers that a program passes, each kind with what the CUDA driver API promises of it.
//!
//! Values of these types come from C alone, as arguments of an entry point, or from an `unsafe` constructor. They last
//! as long as the call, but for [`HostAddress`], which lasts until the work is done that it was given for.

use super::entry::{Answer, OrRefuse, valid};
use super::errors::*;
use std::ffi::{CStr, c_char, c_void};
use std::marker::PhantomData;
use std::mem::MaybeUninit;

/// A place for one result: null, or room for a `T`.
#[repr(transparent)]
pub struct Out<'a, T>(*mut T, PhantomData<&'a mut T>);

impl<'a, T> Out<'a, T> {
    /// A place of our own.
    pub fn of(place: &'a mut T) -> Self {
        Out(place, PhantomData)
    }

    /// The null pointer.
    pub fn none() -> Self {
        Out(std::ptr::null_mut(), PhantomData)
    }

    pub fn is_given(&self) -> bool {
        !self.0.is_null()
    }

    /// Refuses a null pointer before anything is made that could not be handed over.
    pub fn required(&self, what: &str) -> Answer {
        valid(self.is_given(), format_args!("{what} is a null pointer"))
    }

    /// Writes the result, or refuses a null pointer.
    pub fn set(&self, value: T, what: &str) -> Answer {
        self.required(what)?;
        self.set_if_given(value);
        Ok(())
    }

    /// Writes the result unless the pointer is null.
    pub fn set_if_given(&self, value: T) {
        if self.is_given() {
            // SAFETY: not null, so room for a T by the type's promise.
            unsafe { self.0.write_unaligned(value) };
        }
    }
}

/// Text: null, or a C string.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub struct Text<'a>(*const c_char, PhantomData<&'a CStr>);

impl<'a> Text<'a> {
    /// The text; a null pointer is refused with `message`.
    pub fn get(self, message: &str) -> Answer<&'a CStr> {
        valid(!self.0.is_null(), message)?;
        // SAFETY: not null, so a C string by the type's promise.
        Ok(unsafe { CStr::from_ptr(self.0) })
    }

    /// A name, which is UTF-8.
    pub fn name(self) -> Answer<&'a str> {
        self.get("the name is a null pointer")?.to_str().ok().or_refuse(INVALID_VALUE, "the name is not UTF-8")
    }
}

/// How many values the pointer beside it in the same call or structure has, as the program says.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub struct Count<N = usize>(N);

impl<N: Copy + TryInto<usize>> Count<N> {
    /// The number; 0 for a negative one.
    pub fn get(self) -> usize {
        self.0.try_into().unwrap_or(0)
    }
}

impl Count {
    /// Tells the program another number.
    ///
    /// # Safety
    /// It is no more than this was, or the pointer beside it is null or not looked at any more.
    pub unsafe fn set(&mut self, number: usize) {
        self.0 = number;
    }
}

/// Several values to read: null, or as many as the [`Count`] beside it says.
#[repr(transparent)]
pub struct Array<'a, T>(*const T, PhantomData<&'a [T]>);

impl<'a, T> Array<'a, T> {
    pub fn is_given(&self) -> bool {
        !self.0.is_null()
    }

    /// The values; none for a null pointer.
    pub fn of<N: Copy + TryInto<usize>>(&self, count: Count<N>) -> &'a [T] {
        // SAFETY: no call has two counts, so this is the one by the types' promise.
        unsafe { self.first(count.get()) }
    }

    /// So many values; none for a null pointer.
    ///
    /// # Safety
    /// The call's other arguments say that there are so many.
    pub unsafe fn first(&self, count: usize) -> &'a [T] {
        if self.0.is_null() || count == 0 {
            return &[];
        }
        // SAFETY: by the caller and the type's promise.
        unsafe { std::slice::from_raw_parts(self.0, count) }
    }
}

/// Room for several results: null, or as many as the [`Count`] beside it says.
#[repr(transparent)]
pub struct Room<'a, T>(*mut T, PhantomData<&'a mut [T]>);

impl<'a, T> Room<'a, T> {
    pub fn is_given(&self) -> bool {
        !self.0.is_null()
    }

    /// The places; none for a null pointer.
    pub fn of<N: Copy + TryInto<usize>>(self, count: Count<N>) -> &'a mut [MaybeUninit<T>] {
        // SAFETY: no call has two counts, so this is the one by the types' promise.
        unsafe { places(self.0, count.get()) }
    }
}

/// So many places for results; none for a null pointer.
///
/// # Safety
/// The program gave the pointer with room for so many results, and this is the only use of it.
pub unsafe fn places<'a, T>(pointer: *mut T, count: usize) -> &'a mut [MaybeUninit<T>] {
    if pointer.is_null() || count == 0 {
        return &mut [];
    }
    // SAFETY: by the caller.
    unsafe { std::slice::from_raw_parts_mut(pointer.cast(), count) }
}

/// Writes as much of a text as there is room for, and a closing zero.
pub fn write_text(room: &mut [MaybeUninit<u8>], text: &str) {
    let bytes = text.bytes().take(room.len().saturating_sub(1)).chain([0]);
    for (place, byte) in room.iter_mut().zip(bytes) {
        place.write(byte);
    }
}

/// An address of host memory from which, or to which, a call copies.
///
/// The program promises that the bytes which that call names are its own, and stay so until the copy is done.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub struct HostAddress(usize);

impl HostAddress {
    /// No address.
    pub const NULL: HostAddress = HostAddress(0);

    pub fn number(self) -> usize {
        self.0
    }

    /// The address some bytes further.
    pub fn plus(self, offset: u64) -> HostAddress {
        HostAddress(self.0.wrapping_add(offset as usize))
    }

    /// The bytes from here.
    ///
    /// # Safety
    /// The call named these bytes, its work is not done, and nothing writes to them meanwhile.
    pub unsafe fn bytes<'a>(self, count: usize) -> &'a [u8] {
        // SAFETY: by the caller and the type's promise.
        unsafe { std::slice::from_raw_parts(self.0 as *const u8, count) }
    }

    /// The bytes from here, to write to.
    ///
    /// # Safety
    /// As [`HostAddress::bytes`], and nothing reads them meanwhile.
    pub unsafe fn bytes_mut<'a>(self, count: usize) -> &'a mut [u8] {
        // SAFETY: by the caller and the type's promise.
        unsafe { std::slice::from_raw_parts_mut(self.0 as *mut u8, count) }
    }

    pub fn pointer(self) -> *mut u8 {
        self.0 as *mut u8
    }
}

/// The value of an attribute, whose size depends on the attribute.
pub enum Value {
    Int(u32),
    Long(u64),
}

impl Out<'_, c_void> {
    /// Writes an attribute's value.
    ///
    /// # Safety
    /// The attribute that the call names has a value of that size.
    pub unsafe fn set_value(&self, value: Value, what: &str) -> Answer {
        match value {
            Value::Int(value) => Out(self.0.cast(), PhantomData).set(value, what),
            Value::Long(value) => Out(self.0.cast(), PhantomData).set(value, what),
        }
    }
}
