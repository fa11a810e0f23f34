package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/gomlx/go-huggingface/hub"
	"github.com/gomlx/go-huggingface/models/transformer"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/coremlc/coremlc/go/replay"
)

// miniLM is a sentence embedding as go-huggingface builds it from the folder of the file: tokens and lengths to unit vectors.
func miniLM(file string, _ []string) (*network, error) {
	repo, done, err := localRepository(filepath.Dir(file))
	if err != nil {
		return nil, err
	}
	defer done()
	loaded, err := transformer.LoadModel(repo)
	if err != nil {
		return nil, err
	}
	backend, err := replay.GoBackend()
	if err != nil {
		return nil, err
	}
	store := model.NewStore()
	if err := loaded.LoadStore(backend, store); err != nil {
		return nil, err
	}
	for v := range store.IterVariables() {
		value, err := v.Value()
		if err != nil {
			return nil, err
		}
		value.ToLocal()
	}
	build := func(scope *model.Scope, in []*Node) []*Node {
		return []*Node{loaded.SentenceEmbeddingGraph(scope, in[0], in[1])}
	}
	return &network{store: store, build: build, inputs: []string{"tokens", "lengths"}, outputs: []string{"embeddings"}, direct: true}, nil
}

// localRepository makes a plain folder a repository: it lays the cache that package hub expects, and answers the one request, for the
// repository's list of files, that the package insists on.
func localRepository(folder string) (repo *hub.Repo, done func(), err error) {
	const revision = "0000000000000000000000000000000000000001"
	type sibling struct {
		Name string `json:"rfilename"`
	}
	folder, err = filepath.Abs(folder)
	if err != nil {
		return nil, nil, err
	}
	cache, err := os.MkdirTemp("", "coremlc-zoo-*")
	if err != nil {
		return nil, nil, err
	}
	snapshot := filepath.Join(cache, "models--local--model", "snapshots", revision)
	var siblings []sibling
	err = filepath.Walk(folder, func(path string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() {
			return err
		}
		name, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		siblings = append(siblings, sibling{filepath.ToSlash(name)})
		target := filepath.Join(snapshot, name)
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return err
		}
		return os.Symlink(path, target)
	})
	if err != nil {
		return nil, nil, fmt.Errorf("%w (and %v)", err, os.RemoveAll(cache))
	}
	list, err := json.Marshal(map[string]any{"id": "local/model", "modelId": "local/model", "sha": revision, "siblings": siblings})
	if err != nil {
		return nil, nil, err
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(list)))
		w.Header().Set("ETag", `"info"`)
		_, _ = w.Write(list)
	}))
	repo = hub.New("local/model").WithEndpoint(server.URL).WithCacheDir(cache)
	repo.Verbosity = 0
	return repo, func() { server.Close(); _ = os.RemoveAll(cache) }, nil
}
