package bundle

import (
	"errors"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// mountSmall mounts a small tmpfs that only this goroutine's thread sees.
func mountSmall(t *testing.T, options string) string {
	t.Helper()
	runtime.LockOSThread() // and never unlocked: the thread ends with the test
	dir := t.TempDir()
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		t.Skipf("no mount namespace of our own (needs root): %v", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		t.Skipf("mount namespace cannot be made private: %v", err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		t.Skipf("tmpfs cannot be mounted: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func TestFullDiskIsToldAndLeavesNothing(t *testing.T) {
	for name, options := range map[string]string{"bytes": "size=256k", "inodes": "size=16m,nr_inodes=8"} {
		t.Run(name, func(t *testing.T) {
			archive := putArchive(t, t.TempDir(), zipOf(append(many(8, "f%d"), stored("big", zeros(1<<19)))...))
			dir := mountSmall(t, options)
			_, err := Extract(t.Context(), archive, filepath.Join(dir, "out"), small())
			var fault *Fault
			if !errors.Is(err, syscall.ENOSPC) || errors.As(err, &fault) {
				t.Errorf("error %v, want ENOSPC and no Fault", err)
			}
			if left := names(t, dir); left != "" {
				t.Errorf("left behind: %s", left)
			}
		})
	}
}
