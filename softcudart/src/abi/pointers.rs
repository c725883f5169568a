//! What a program passes, each type with what the CUDA runtime API promises of it.
//!
//! Values of these types come from C, as arguments of an entry point or from the driver, or refer to a value of our
//! own. That is why the driver's functions can be safe to call with them.

use super::entry::{Answer, valid};
use std::ffi::{CStr, c_char};
use std::marker::PhantomData;

/// A place for a result: null, or room for a `T`.
#[repr(transparent)]
pub struct Out<'a, T>(*mut T, PhantomData<&'a mut T>);

impl<'a, T> Out<'a, T> {
    /// A place of our own.
    pub fn of(place: &'a mut T) -> Self {
        Out(place, PhantomData)
    }

    pub fn none() -> Self {
        Out(std::ptr::null_mut(), PhantomData)
    }

    pub fn is_given(&self) -> bool {
        !self.0.is_null()
    }

    /// The same place, whatever it holds.
    pub fn as_room(&self) -> Room<'a> {
        Room(self.0.cast(), PhantomData)
    }

    /// Refuses a null pointer.
    pub fn required(&self) -> Answer {
        valid(self.is_given(), "a pointer for a result is null")
    }

    /// Writes the result, or refuses a null pointer.
    pub fn set(&self, value: T) -> Answer {
        self.required()?;
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

/// Room for results of another type, or of a number that the driver knows: handed on as it is.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub struct Room<'a>(*mut u8, PhantomData<&'a mut u8>);

impl<'a> Room<'a> {
    /// A place of our own.
    pub fn of<T>(place: &'a mut T) -> Self {
        Room(std::ptr::from_mut(place).cast(), PhantomData)
    }

    /// Places of our own.
    pub fn many<T>(places: &'a mut [T]) -> Self {
        Room(places.as_mut_ptr().cast(), PhantomData)
    }

    pub fn none() -> Self {
        Room(std::ptr::null_mut(), PhantomData)
    }

    /// What follows a `T` here.
    pub fn after<T>(self) -> Self {
        Room(self.0.wrapping_add(size_of::<T>()), PhantomData)
    }

    pub fn is_given(&self) -> bool {
        !self.0.is_null()
    }

    /// It as a value, if it is given.
    ///
    /// # Safety
    /// It is a `T`.
    pub unsafe fn value<T>(&self) -> Option<&'a T> {
        // SAFETY: by the caller, null apart.
        unsafe { self.0.cast::<T>().as_ref() }
    }

    /// Writes zeros.
    ///
    /// # Safety
    /// There is room for so many bytes.
    pub unsafe fn clear(&self, bytes: usize) {
        if self.is_given() {
            // SAFETY: by the caller.
            unsafe { self.0.write_bytes(0, bytes) };
        }
    }

    /// Writes values.
    ///
    /// # Safety
    /// There is room for them, and no value of another type is asked of it.
    pub unsafe fn write<T: Copy>(&self, values: &[T]) {
        if self.is_given() {
            // SAFETY: by the caller.
            unsafe { std::ptr::copy_nonoverlapping(values.as_ptr().cast(), self.0, size_of_val(values)) };
        }
    }
}

/// Something to read, handed on to the driver as it is: null, or what the call says of it.
#[repr(transparent)]
#[derive(Clone, Copy, Debug)]
pub struct Given<'a>(*const u8, PhantomData<&'a u8>);

impl Default for Given<'_> {
    fn default() -> Self {
        Given::none()
    }
}

impl<'a> Given<'a> {
    pub fn none() -> Self {
        Given(std::ptr::null(), PhantomData)
    }

    /// A value of our own.
    pub fn of<T>(value: &'a T) -> Self {
        Given(std::ptr::from_ref(value).cast(), PhantomData)
    }

    /// A text of our own.
    pub fn text(text: &'a CStr) -> Self {
        Given(text.as_ptr().cast(), PhantomData)
    }

    pub fn is_given(&self) -> bool {
        !self.0.is_null()
    }

    pub fn number(&self) -> usize {
        self.0 as usize
    }

    /// It as values.
    ///
    /// # Safety
    /// The call says that there are so many values of this type.
    pub unsafe fn values<T>(self, count: usize) -> &'a [T] {
        if self.0.is_null() || count == 0 {
            return &[];
        }
        // SAFETY: by the caller and the type's promise.
        unsafe { std::slice::from_raw_parts(self.0.cast(), count) }
    }
}

/// Text: null, or a C string.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub struct Text<'a>(*const c_char, PhantomData<&'a CStr>);

impl<'a> Text<'a> {
    /// The text, if there is one.
    pub fn get(self) -> Option<&'a CStr> {
        // SAFETY: not null, so a C string by the type's promise.
        (!self.0.is_null()).then(|| unsafe { CStr::from_ptr(self.0) })
    }
}

/// A stream, an event, a graph or another object of the driver's; the same in runtime and driver (runtime API,
/// "Interactions with the CUDA Driver API").
#[repr(transparent)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Handle(usize);

impl Handle {
    pub const NULL: Handle = Handle(0);
    /// `cudaStreamPerThread`.
    const PER_THREAD: Handle = Handle(2);

    pub fn is_null(self) -> bool {
        self.0 == 0
    }

    pub fn number(self) -> usize {
        self.0
    }

    /// The stream that is meant where the default stream is the thread's own.
    pub fn per_thread(self) -> Handle {
        if self.is_null() { Handle::PER_THREAD } else { self }
    }
}

/// When a copy or a fill runs.
#[derive(Clone, Copy)]
pub enum When {
    /// The synchronous form.
    Now,
    /// The synchronous form where the default stream is the thread's own.
    NowOwn,
    /// In stream order.
    On(Handle),
}

/// `dim3`.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug)]
pub struct Dim3 {
    pub x: u32,
    pub y: u32,
    pub z: u32,
}
