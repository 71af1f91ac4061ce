// Locks of groups and snapshots.

package server

import "sync"

// lock takes a group for one backup at a time.
func (s *store) lock(path string) bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.locked[path] {
		return false
	}
	s.locked[path] = true
	return true
}

func (s *store) unlock(path string) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	delete(s.locked, path)
}

// hold keeps a snapshot from being removed.
func (s *store) hold(path string) (release func()) {
	s.mutex.Lock()
	s.inUse[path]++
	s.mutex.Unlock()
	return sync.OnceFunc(func() {
		s.mutex.Lock()
		defer s.mutex.Unlock()
		if s.inUse[path]--; s.inUse[path] == 0 {
			delete(s.inUse, path)
		}
	})
}
