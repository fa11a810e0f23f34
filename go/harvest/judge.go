package harvest

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"github.com/gomlx/compute/shapes"

	"github.com/coremlc/coremlc/go/internal/npz"
)

// judge is a process that runs the graphs that the Go backend can't: see benchmarks/harvest/answer.py. It starts when first asked.
type judge struct {
	command []string // none: there is no judge
	mu      sync.Mutex
	process *exec.Cmd
	in      io.Writer
	out     *bufio.Reader
}

// question and answer are lines of JSON. The outputs are put into the file that holds the inputs.
type question struct {
	Graph string `json:"graph"`
	File  string `json:"file"`
}

type answer struct {
	Judge string `json:"judge"` // who computed it
	Error string `json:"error"`
}

// run returns the outputs of a graph, and who computed them.
func (j *judge) run(b *Backend, graph string, inputs map[string]npz.Array, count int) ([]*buffer, string, error) {
	if len(j.command) == 0 {
		return nil, "", errors.New("there is no judge")
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	dir, err := os.MkdirTemp("", "harvest-")
	if err != nil {
		return nil, "", err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "arrays.npz")
	if err := npz.Write(path, inputs); err != nil {
		return nil, "", err
	}
	reply, err := j.ask(question{Graph: graph, File: path})
	if err != nil {
		return nil, "", fmt.Errorf("the judge: %w", err)
	}
	arrays, err := npz.Read(path)
	if err != nil {
		return nil, "", err
	}
	outputs := make([]*buffer, count)
	for i := range outputs {
		a := arrays[output(i)]
		if outputs[i], err = b.newBuffer(shapes.Make(a.DType, a.Dims...)); err != nil {
			return nil, "", err
		}
		copy(bytesOf(outputs[i].flat), a.Bytes)
	}
	return outputs, reply.Judge, nil
}

func (j *judge) ask(q question) (reply answer, err error) {
	if j.process == nil {
		if err := j.start(); err != nil {
			return reply, err
		}
	}
	line, err := json.Marshal(q)
	if err != nil {
		return reply, err
	}
	if _, err := j.in.Write(append(line, '\n')); err != nil {
		return reply, err
	}
	if line, err = j.out.ReadBytes('\n'); err != nil {
		return reply, err
	}
	if err := json.Unmarshal(line, &reply); err != nil {
		return reply, err
	}
	if reply.Error != "" {
		return reply, errors.New(reply.Error)
	}
	return reply, nil
}

// start begins the process, which ends with its input: with this process.
func (j *judge) start() error {
	j.process = exec.Command(j.command[0], j.command[1:]...)
	j.process.Stderr = os.Stderr
	in, err := j.process.StdinPipe()
	if err != nil {
		return err
	}
	out, err := j.process.StdoutPipe()
	if err != nil {
		return err
	}
	j.in, j.out = in, bufio.NewReader(out)
	return j.process.Start()
}

// output is the name of an output in a file of arrays.
func output(i int) string { return fmt.Sprintf("out.output%d", i) }

// judgeOf is the judge whose command stands in the environment.
func judgeOf(command string) *judge { return &judge{command: strings.Fields(command)} }
