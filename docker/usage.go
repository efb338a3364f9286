package docker

import (
	"context"
	"encoding/json"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"sofiacall.com/bluegreen/switcher"
)

// Usage returns what the container of an instance uses. Memory is without the
// page cache that can be dropped, as `docker stats` shows it.
func (r *Runtime) Usage(ctx context.Context, instance string) (switcher.Usage, error) {
	found, err := r.must(ctx, instance)
	if err != nil {
		return switcher.Usage{}, err
	}
	details, err := r.inspect(ctx, found.ID)
	if err != nil {
		return switcher.Usage{}, err
	}
	if !details.State.Running {
		return switcher.Usage{}, &switcher.Error{Code: switcher.CodeFailed, What: describe(*found) + " does not run"}
	}
	stats, err := r.stats(ctx, found.ID)
	if err != nil {
		return switcher.Usage{}, err
	}
	return switcher.Usage{
		CPUSeconds:  time.Duration(stats.CPUStats.CPUUsage.TotalUsage).Seconds(),
		Memory:      int64(stats.MemoryStats.Usage - droppable(stats.MemoryStats)),
		MemoryLimit: details.HostConfig.Memory,
		Restarts:    details.RestartCount,
	}, nil
}

// stats takes one sample; two, as is the engine's habit, would last a second.
func (r *Runtime) stats(ctx context.Context, id string) (stats container.StatsResponse, err error) {
	err = r.engine.call(ctx, "asking what container "+short(id)+" uses", func(ctx context.Context) error {
		answer, err := r.engine.api.ContainerStats(ctx, id, client.ContainerStatsOptions{})
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		return json.NewDecoder(answer.Body).Decode(&stats)
	})
	return stats, err
}

// droppable is the inactive page cache, by its name in either version of
// cgroups.
func droppable(m container.MemoryStats) uint64 {
	for _, name := range []string{"total_inactive_file", "inactive_file"} {
		if n, known := m.Stats[name]; known {
			return min(n, m.Usage)
		}
	}
	return 0
}
