package docker

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"berth/sites"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/image"
)

const (
	staticPort    = 8080
	staticContent = "/content"
	staticPath    = "/berth" // the executable inside its image
	// unprivileged is nobody, by number: the image has no /etc/passwd.
	unprivileged = "65534:65534"
	// recipe says how images and containers are made; count it up when that changes, and instances are replaced.
	recipe = "2"
)

// fingerprint names what the image is made of, so that another executable of the same version is another image.
func fingerprint(executable, installation string) (string, error) {
	exe, err := os.Open(executable)
	if err != nil {
		return "", fmt.Errorf("open berth's executable: %w", err)
	}
	defer exe.Close()
	if err := checkStatic(exe); err != nil {
		return "", err
	}
	hash := sha256.New()
	fmt.Fprintf(hash, "%s\n%s\n", recipe, installation)
	if _, err := io.Copy(hash, exe); err != nil {
		return "", fmt.Errorf("read berth's executable: %w", err)
	}
	return hex.EncodeToString(hash.Sum(nil)[:6]), nil
}

// ensureImage loads the image of berth's executable unless the engine has it.
func (r *Runtime) ensureImage(ctx context.Context) (ref string, err error) {
	build, err := r.build()
	if err != nil {
		return "", err
	}
	ref = "berth-static:" + tagSafe(r.cfg.Version) + "-" + build
	_, err = r.inspectImage(ctx, ref)
	if err == nil {
		return ref, nil
	}
	if !errdefs.IsNotFound(err) {
		return "", r.fault(ctx, "look for the image", err)
	}
	started := time.Now()
	if err := r.importImage(ctx, ref, build); err != nil {
		return "", err
	}
	r.log.Info("loaded the image of the static server", "image", ref, "took", time.Since(started))
	return ref, nil
}

// checkStatic refuses what could not run in an image that holds nothing else.
func checkStatic(exe io.ReaderAt) error {
	file, err := elf.NewFile(exe)
	if err != nil {
		return fmt.Errorf("berth's executable is not an ELF file: %w", err)
	}
	if slices.ContainsFunc(file.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }) {
		return errors.New("berth's executable is dynamically linked and cannot run in a container of its own: build it with CGO_ENABLED=0")
	}
	return nil
}

// tagSafe replaces what an image tag cannot hold, such as the plus sign of a version's build part.
func tagSafe(version string) string {
	safe := strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '-' {
			return c
		}
		return '_'
	}, version)
	return strings.TrimLeft(safe[:min(len(safe), 100)], ".-")
}

func (r *Runtime) importImage(ctx context.Context, ref, build string) error {
	exe, err := os.Open(r.cfg.Executable)
	if err != nil {
		return fmt.Errorf("open berth's executable: %w", err)
	}
	defer exe.Close()
	stat, err := exe.Stat()
	if err != nil {
		return fmt.Errorf("size of berth's executable: %w", err)
	}
	pr, pw := io.Pipe()
	written := make(chan struct{})
	go func() {
		defer close(written)
		pw.CloseWithError(writeRootFS(pw, exe, stat.Size()))
	}()
	defer func() {
		pr.Close() // ends the writer when the engine stopped reading
		<-written
	}()
	call, cancel := context.WithTimeout(ctx, r.wait.call)
	defer cancel()
	source := image.ImportSource{Source: pr, SourceName: "-"}
	body, err := r.engine().ImageImport(call, source, ref, image.ImportOptions{Changes: []string{
		fmt.Sprintf("ENTRYPOINT [%q]", staticPath),
		fmt.Sprintf("CMD [%q, %q]", "static", staticContent),
		"USER " + unprivileged,
		fmt.Sprintf("EXPOSE %d/tcp", staticPort),
		fmt.Sprintf("LABEL %s=%q %s=%q %s=%q", labelInstallation, r.cfg.Installation,
			labelVersion, r.cfg.Version, labelBuild, build),
	}})
	if err != nil {
		return r.fault(ctx, "import the image", err)
	}
	defer body.Close()
	return r.fault(ctx, "import the image", drainProgress(body))
}

// writeRootFS writes the whole file system of the image.
func writeRootFS(w io.Writer, exe io.Reader, size int64) error {
	archive := tar.NewWriter(w)
	headers := []tar.Header{
		{Name: strings.TrimPrefix(staticContent, "/") + "/", Typeflag: tar.TypeDir, Mode: 0o755},
		{Name: strings.TrimPrefix(staticPath, "/"), Typeflag: tar.TypeReg, Mode: 0o755, Size: size},
	}
	for i := range headers {
		if err := archive.WriteHeader(&headers[i]); err != nil {
			return fmt.Errorf("write image: %w", err)
		}
	}
	if _, err := io.Copy(archive, exe); err != nil {
		return fmt.Errorf("write image: %w", err)
	}
	return archive.Close()
}

// drainProgress reads the engine's report on an import or pull to its end; failures stand inside it.
func drainProgress(body io.Reader) error {
	for report := json.NewDecoder(body); ; {
		var line struct {
			Error string `json:"error"`
		}
		switch err := report.Decode(&line); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("read progress: %w", err)
		case line.Error != "":
			return errors.New(line.Error)
		}
	}
}

// templateImage makes sure that the engine has the template's image and returns the paths that it declares as volumes.
func (r *Runtime) templateImage(ctx context.Context, t sites.Template) (volumes []string, err error) {
	found, err := r.inspectImage(ctx, t.Image)
	if errdefs.IsNotFound(err) {
		if err := r.pull(ctx, t); err != nil {
			return nil, err
		}
		found, err = r.inspectImage(ctx, t.Image)
	}
	if err != nil {
		return nil, r.fault(ctx, "look for the template's image", err)
	}
	if found.Config != nil {
		for path := range found.Config.Volumes {
			volumes = append(volumes, path)
		}
	}
	return volumes, nil
}

func (r *Runtime) inspectImage(ctx context.Context, ref string) (image.InspectResponse, error) {
	call, cancel := context.WithTimeout(ctx, r.wait.call)
	defer cancel()
	return r.engine().ImageInspect(call, ref)
}

func (r *Runtime) pull(ctx context.Context, t sites.Template) error {
	r.log.Info("pulling a template's image", "template", t.Name, "image", t.Image)
	call, cancel := context.WithTimeout(ctx, r.wait.pull)
	defer cancel()
	body, err := r.engine().ImagePull(call, t.Image, image.PullOptions{})
	if err == nil {
		defer body.Close()
		err = drainProgress(body)
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil || call.Err() == nil && unanswered(err):
		return r.fault(ctx, "pull the template's image", err)
	}
	r.log.Warn("pulling a template's image failed", "template", t.Name, "image", t.Image, "error", err)
	return sites.Refuse(sites.ErrConflict, "The image %s of the template %q is not on this server and could not be fetched.", t.Image, t.Name)
}

// removeOldImages removes this installation's images but the present one. The engine keeps those that a container uses.
func (r *Runtime) removeOldImages(ctx context.Context, present string) error {
	call, cancel := context.WithTimeout(ctx, r.wait.call)
	defer cancel()
	images, err := r.engine().ImageList(call, image.ListOptions{Filters: r.ours()})
	if err != nil {
		return fmt.Errorf("list images: %w", err)
	}
	var errs []error
	for _, old := range images {
		if slices.Contains(old.RepoTags, present) {
			continue
		}
		_, err := r.engine().ImageRemove(call, old.ID, image.RemoveOptions{PruneChildren: true})
		if err != nil && !errdefs.IsConflict(err) && !errdefs.IsNotFound(err) {
			errs = append(errs, fmt.Errorf("remove image: %w", err))
		}
	}
	return errors.Join(errs...)
}
