package dockertest

// Kind is a sort of Docker engine that users have.
type Kind int

const (
	// Classic is the distribution's dockerd, 20.10 on Debian 12, with the
	// overlay2 store. Its BuildKit has no exporter "image".
	Classic Kind = iota
	// ContainerdStore is a current dockerd as it is set up by default: its
	// images are in containerd.
	ContainerdStore
	// CurrentClassic is the same dockerd with the overlay2 store, as in upgraded
	// engines and in CodeBuild's.
	CurrentClassic
)

// Kinds are all kinds.
var Kinds = []Kind{Classic, ContainerdStore, CurrentClassic}

func (k Kind) String() string {
	return [...]string{"classic", "containerd-store", "current-classic"}[k]
}

// Snapshotter reports whether the kind's images are in containerd.
func (k Kind) Snapshotter() bool { return k == ContainerdStore }
