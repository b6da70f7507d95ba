//! Numbers for what a topology holds, each kind with a type of its own.

use std::fmt;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(crate) struct $name(u32);

        impl $name {
            pub(crate) fn new(index: usize) -> Self {
                Self(u32::try_from(index).expect("a file has fewer than four billion entries"))
            }

            #[inline]
            pub(crate) const fn index(self) -> usize {
                self.0 as usize
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }
    )*};
}

ids! {
    /// A database of a file. It belongs to one topology: another topology may give the number to another database.
    DatabaseId
    /// A primary with its replicas. It belongs to one topology.
    ClusterId
    /// A node of one cluster: the primary is the first, its replicas follow in file order. It holds for as long as its
    /// cluster does, in every topology that the cluster is part of.
    NodeId
}

/// The node that takes a cluster's writes.
pub(crate) const PRIMARY: NodeId = NodeId(0);
